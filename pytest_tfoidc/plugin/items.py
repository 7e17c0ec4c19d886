"""What a check and a step of an upgrade have in common as pytest items."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_tfoidc.errors import TerraformError, TfOidcError
from pytest_tfoidc.plugin.run import RUN, PytestRun


class ModuleItem(pytest.Item):
    """Something that is done with a module as a whole. `group`: what its id has before its name.

    `marker`: also a keyword, so that of these only that of the checks has `oidc` in it.
    """

    fixturenames: tuple[str, ...] = ()  # pytest-terraform asks every item for its fixtures
    group: ClassVar[str]
    marker: ClassVar[str] = "tfoidc"

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**kwargs)
        self.add_marker(self.marker)

    @property
    def _run(self) -> PytestRun:
        return self.config.stash[RUN]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override] # noqa: ANN401 - pytest's own
        """Show what happened and what to do, then Terraform's words; no traceback of ours."""
        from pytest_tfoidc.checks.oidc import CheckFailure, explain  # noqa: PLC0415 - heavy

        error = excinfo.value
        if isinstance(error, TerraformError):
            return explain(error, self._run.session)
        if isinstance(error, (CheckFailure, TfOidcError)):
            return str(error)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item as its id does."""
        return self.path, None, f"{self._run.name_of(self.path)}::{self.group}::{self.name}"
