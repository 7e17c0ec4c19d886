"""The common parts of a check and of a step of an upgrade as pytest items."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_tfoidc.errors import TerraformError, TfOidcError
from pytest_tfoidc.plugin.run import RUN, PytestRun

# In the same words of two failures: ids of requests, and moments.
CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*"
)


def told(error: BaseException, run: PytestRun, *, item: str) -> str | None:
    """Write one of our failures: in full, or where an item before has told the same, whose it was.

    Args:
        error: What was raised.
        run: Knows what was told before.
        item: The id of the item that failed.

    Returns:
        None where it is none of ours.
    """
    from pytest_tfoidc.checks.explaining import explain  # noqa: PLC0415 - heavy
    from pytest_tfoidc.checks.parts import CheckFailure  # noqa: PLC0415 - heavy

    if isinstance(error, TerraformError):
        text = explain(error, run.session)
        return run.told_once(text, item=item, about=CHANGING.sub("", error.output))
    if isinstance(error, CheckFailure):
        return run.told_once(str(error), item=item, about=error.about)
    return str(error) if isinstance(error, TfOidcError) else None


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
        text = told(excinfo.value, self._run, item=self.nodeid)
        return super().repr_failure(excinfo) if text is None else text

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item as its id does."""
        return self.path, None, f"{self._run.name_of(self.path)}::{self.group}::{self.name}"
