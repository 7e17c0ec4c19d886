"""A subscription's name, for people who do not know its id by heart."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.identity.http_client import NoAnswerError, Transport
from pytest_tfoidc.identity.state_blobs import MANAGEMENT, OK

if TYPE_CHECKING:
    from pytest_tfoidc.identity.credential import RefreshingCredential
    from pytest_tfoidc.identity.pipeline import PipelineContext

API_VERSION = "2022-12-01"
TOTAL_SECONDS = 5.0  # the name is a help, not a condition


def subscription_name(credential: RefreshingCredential, context: PipelineContext) -> str:
    """Return the subscription's name; empty where it cannot be had at once."""
    host = MANAGEMENT[context.cloud]
    transport = Transport(
        proxies=context.proxies, ca_file=context.ca_file, total_seconds=TOTAL_SECONDS
    )
    with contextlib.suppress(NoAnswerError, TfOidcError, ValueError, AttributeError):
        token = credential.get_token(f"{host}/.default").token
        answer = transport.ask(
            "GET",
            f"{host}/subscriptions/{context.subscription_id}?api-version={API_VERSION}",
            headers={"Authorization": f"Bearer {token}"},
        )
        if answer.status == OK:
            return str(json.loads(answer.body).get("displayName", ""))
    return ""
