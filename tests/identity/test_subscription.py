"""The subscription's name is a help: the header does not wait for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, cast

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.errors import AuthenticationError
from pytest_tfoidc.identity.subscription import subscription_name


@dataclass
class Slow:
    """A credential whose endpoint does not answer until it is told to."""

    may_answer: threading.Event = field(default_factory=threading.Event)
    has_asked: threading.Event = field(default_factory=threading.Event)

    def get_token(self, *_: str) -> Any:  # noqa: ANN401 - it never returns one
        self.may_answer.wait(30)
        self.has_asked.set()
        raise AuthenticationError("It is unreachable.")


@dataclass
class Context:
    cloud: str = "public"
    proxies: None = None
    ca_file: None = None
    subscription_id: str = "x"


def test_an_endpoint_that_does_not_answer_is_not_waited_for() -> None:
    slow, before = Slow(), real_seconds()
    assert subscription_name(cast("Any", slow), cast("Any", Context()), seconds=0.1) == ""
    assert real_seconds() - before < 5
    assert not slow.has_asked.is_set()
    slow.may_answer.set()
    assert slow.has_asked.wait(10)  # what was begun is not lost, and its end disturbs nobody


def test_a_refusal_is_no_name() -> None:
    slow = Slow()
    slow.may_answer.set()
    assert subscription_name(cast("Any", slow), cast("Any", Context()), seconds=10) == ""
