"""The deployment that a module's checks share, across the items that it is reported as."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_tfoidc.checks.allowances import allowed_for
from pytest_tfoidc.checks.names import SHARED
from pytest_tfoidc.checks.parts import CheckSkipped, Subject
from pytest_tfoidc.checks.story import LIVE, SharedStory, Verdict
from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.plugin.modules import SECONDS, CheckItem
from pytest_tfoidc.plugin.run import RUN, clock_of
from pytest_tfoidc.reporting.summary import Evidence
from pytest_tfoidc.session import Pause

if TYPE_CHECKING:
    from pytest_tfoidc.terraform.workspace import Workspace

LEAST = 2  # checks; one alone shares nothing


class SharedDeployment:
    """Makes the checks of one module, as far as they can share a deployment.

    On the stand-in what is deployed is there while a check is at work, and for nobody else.

    Args:
        config: pytest's.
        item: What the workspace's state is named after in a live context.
    """

    def __init__(self, config: pytest.Config, *, item: str) -> None:
        self._config = config
        self._run = config.stash[RUN]
        self._item = item
        self._made: set[str] = set()
        self._chosen: tuple[str, ...] = ()
        self._folder = Path()  # of the workspace
        self._story: SharedStory | None = None
        self._pause = Pause()
        self._open = contextlib.ExitStack()

    def prove(self, item: CheckItem) -> Evidence | None:
        """Make a check's part; None for a check that has to be made alone.

        Raises:
            CheckFailure: The check has failed.
            TfOidcError: A command has failed, or the module cannot be copied.
        """
        if self._run.settings.separate or item.name in self._made:  # made again: by itself
            return None
        wanted = self._wanted(item)
        self._made.add(item.name)
        if self._story is None:
            self._chosen = wanted if len(wanted) >= LEAST else ()
        if item.name not in self._chosen:
            return None
        try:
            verdict = self._verdict(item)
        except BaseException:  # the run ends: there may be no time later
            with contextlib.suppress(TfOidcError):  # the first error is the one to show
                self._clean_up()
            raise
        if verdict is None:
            self._give_up()
            return None
        item.note_properties(self._folder)
        if self._made.issuperset(self._chosen) and not self._run.session.is_live:
            self._clean_up()  # the next who needs a copy can have this one
        if isinstance(verdict, CheckSkipped):
            pytest.skip(str(verdict))
        if isinstance(verdict, Evidence):
            return verdict
        raise verdict.with_traceback(None)

    def _wanted(self, item: CheckItem) -> tuple[str, ...]:
        """Return the checks that can share a deployment, of those that are still to be made."""
        known = LIVE if self._run.session.is_live else SHARED
        chosen = {one.name for one in item.session.items if one.parent is item.parent}
        return tuple(name for name in known if name in chosen - self._made)

    def _verdict(self, item: CheckItem) -> Verdict | None:
        session, started = self._run.session, real_seconds()
        with session.isolated(), session.going_on(self._pause):
            if self._story is None:
                self._story = SharedStory(self._subject(item.path), self._chosen)
            verdict = self._story.verdict(item.name)
        item.stash[SECONDS] = self._story.seconds(item.name) - (real_seconds() - started)
        return verdict

    def _subject(self, module: Path) -> Subject:
        workspace = self._run.workspace(module, item=self._item, has_failed=lambda: True)
        subject = subject_of(self._config, self._open.enter_context(workspace))
        self._folder = subject.workspace.path
        return subject

    def _give_up(self) -> None:
        """Clean up for the checks that are made alone; where that fails, the story comes first."""
        try:
            self._clean_up()
        except TfOidcError:
            if self._story is not None and self._story.failure is not None:
                raise self._story.failure from None
            raise

    def close(self) -> None:
        """End the story where it is; checks that come back to it begin another one."""
        self._clean_up()
        if self._story is not None and self._story.failure is None:
            self._story = None

    def _clean_up(self) -> None:
        """Remove the workspace; what it has deployed is destroyed, where that is real."""
        self._pause = Pause()
        with self._run.session.isolated():
            self._open.close()


def subject_of(config: pytest.Config, workspace: Workspace) -> Subject:
    """Return what a check works on, in a workspace.

    Raises:
        pytest.skip.Exception: There is nothing to deploy.
    """
    if not workspace.configuration.files:
        pytest.skip("the module has only test files: there is nothing to deploy")
    run = config.stash[RUN]
    return Subject(
        session=run.session,
        workspace=workspace,
        clock=clock_of(config),
        delay=timedelta(seconds=run.delay),
        allowances=allowed_for(run.settings.allowances, run.name_of(workspace.module)),
    )
