"""Half of a fault: writes one ID token into the file `token`, for a wrapper around Terraform."""

from __future__ import annotations

import pytest

from pytest_tfoidc.plugin.run import RUN


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fetch the token as a step of a pipeline does once, at its start."""
    run = session.config.stash[RUN].session
    token = run.source.fetch(run.context.audience).value
    (session.config.rootpath / "token").write_text(token, encoding="utf-8")
