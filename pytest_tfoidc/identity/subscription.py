"""A subscription's name, for people who do not know its id by heart."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from typing import TYPE_CHECKING

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.identity.http_client import NoAnswerError, Transport
from pytest_tfoidc.identity.state_blobs import MANAGEMENT, OK

if TYPE_CHECKING:
    from pytest_tfoidc.identity.credential import RefreshingCredential
    from pytest_tfoidc.identity.pipeline import PipelineContext

API_VERSION = "2022-12-01"
TOTAL_SECONDS = 3.0  # the name is a help, not a condition


def subscription_name(
    credential: RefreshingCredential, context: PipelineContext, *, seconds: float = TOTAL_SECONDS
) -> str:
    """Return the subscription's name; empty where it cannot be had at once.

    Asking for the tokens is as patient as everywhere, and may go on: who needs them next has them.

    Args:
        credential: Who asks.
        context: The subscription, and how Azure is reached.
        seconds: The longest that the answer is waited for.
    """
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    asking = threading.Thread(
        target=lambda: answers.put(_asked(credential, context)), daemon=True, name="tfoidc-name"
    )
    asking.start()
    with contextlib.suppress(queue.Empty):
        return answers.get(timeout=seconds)
    return ""


def _asked(credential: RefreshingCredential, context: PipelineContext) -> str:
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
