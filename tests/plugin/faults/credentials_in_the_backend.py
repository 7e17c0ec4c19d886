"""A fault to plant: credentials that the backend accepts stand in its configuration."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_tfoidc.plugin.run import RUN


def pytest_sessionstart(session: pytest.Session) -> None:
    """Configure the backend as old pipeline tasks do; keep the values for the test."""
    run = session.config.stash[RUN]
    relay = run.session.relay
    assert relay is not None
    token = run.session.source.fetch(run.session.context.audience).value
    given = (("oidc_token", str(token)), ("oidc_request_token", str(relay.bearer)))
    run.settings = dataclasses.replace(run.settings, backend_config=given)
    values = "\n".join(value for _, value in given)
    (session.config.rootpath / "values").write_text(values, encoding="utf-8")
