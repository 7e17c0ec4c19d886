"""The common parts of a check and of a step of an upgrade as pytest items."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_tfoidc.errors import TerraformError, TfOidcError
from pytest_tfoidc.plugin.run import EVIDENCE, RUN, PytestRun
from pytest_tfoidc.shortages import shortage

# In the same words of two failures: ids of requests, and moments.
CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*"
)

PROVIDER = re.compile(r'^provider "([^"]+)" \{\s*version\s*=\s*"([^"]+)"', re.MULTILINE)


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
    from pytest_tfoidc.terraform.plan import UnexpectedChangesError  # noqa: PLC0415 - heavy

    if isinstance(error, TerraformError):
        text = explain(error, run.session)
        return run.told_once(text, item=item, about=CHANGING.sub("", error.output))
    if isinstance(error, CheckFailure):
        return run.told_once(str(error), item=item, about=error.about)
    if isinstance(error, TfOidcError):
        return run.told_once(str(error), item=item)
    return str(error) if isinstance(error, UnexpectedChangesError) else None


def properties_of(run: PytestRun, folder: Path) -> list[tuple[str, object]]:
    """Return what JUnit's test case says about where and with what an item was made.

    Args:
        run: The run.
        folder: The workspace's, after init.
    """
    executable, context = run.session.executable, run.session.context
    where = context.label + ("" if run.session.is_live else " (stand-in)")
    return [
        (f"{executable.product.lower()}_version", executable.version),
        ("oidc_context", where),
        *((f"provider {name}", version) for name, version in _providers(folder)),
    ]


def _providers(folder: Path) -> list[tuple[str, str]]:
    """Read the providers' versions from the lock file that init has written."""
    try:
        text = (folder / ".terraform.lock.hcl").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []  # a module without providers has none
    return PROVIDER.findall(text)


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

    def note_properties(self, folder: Path) -> None:
        """Let JUnit say with what the item was made, whatever came of it."""
        self.user_properties += properties_of(self._run, folder)

    @property
    def _run(self) -> PytestRun:
        return self.config.stash[RUN]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override] # noqa: ANN401 - pytest's own
        """Show what happened and what to do, then Terraform's words; no traceback of ours."""
        error = shortage(excinfo.value) or excinfo.value
        text = told(error, self._run, item=self.nodeid)
        if text is None:
            return super().repr_failure(excinfo)
        from pytest_tfoidc.plugin.representation import in_words  # noqa: PLC0415 - for failures only

        return in_words(text, self.path)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item as its id does."""
        return self.path, None, f"{self._run.name_of(self.path)}::{self.group}::{self.name}"


def add_shown(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let JUnit say what a check or a step has shown, as the summary does."""
    if report.when != "teardown" or not isinstance(item, ModuleItem) or EVIDENCE not in item.stash:
        return
    from pytest_tfoidc.reporting.summary import labelled  # noqa: PLC0415 - not in every run

    _, evidence = item.stash[EVIDENCE]
    report.user_properties += list(labelled(evidence).items())
