"""A rehearsal: the environment of a pipeline's step, with the stand-in behind it.

What runs in it takes the live path from end to end, and waits in real time: nobody moves its clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.existing import NOTHING, REHEARSED, Beforehand, rehearsed, rehearsed_paths
from pytest_tfoidc.identity.idtoken import IdToken, parse_id_token
from pytest_tfoidc.identity.token_file import KeptTokenFile
from pytest_tfoidc.mockazure.directory import Identities, home_of, parse_identities
from pytest_tfoidc.mockazure.issuer import Issuer
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.pipelinekinds import AGENT, FILE, KINDS, MARKERS, agent_name
from pytest_tfoidc.pipelinekinds import REHEARSED as REHEARSED_KINDS
from pytest_tfoidc.session import REHEARSAL
from pytest_tfoidc.terraform.upgrade.releases import OUTER
from pytest_tfoidc.withheld import WITHHELD, WITHHELD_PREFIXES

PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")
TRANSPORT = (
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)


@dataclass(frozen=True, kw_only=True)
class RehearsalOptions:
    """The settings of a rehearsal.

    `pipeline`: one of `pipelinekinds.REHEARSED`; `existing`: what is there beforehand.
    """

    pipeline: str
    id_token_lifetime: timedelta = timedelta(minutes=5)
    access_token_lifetime: timedelta = timedelta(minutes=60)
    allowed_hosts: tuple[str, ...] = ()
    existing: Beforehand = NOTHING
    strict_identities: bool = False
    identities: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)


@contextlib.contextmanager
def rehearse(
    options: RehearsalOptions, *, events: EventLog | None = None
) -> Iterator[Mapping[str, str]]:
    """Yield the environment of such a pipeline's step, for as long as the block lasts.

    Args:
        options: What to rehearse.
        events: Is told of everything that happens in the stand-in.

    Raises:
        UsageError: This kind of pipeline cannot be rehearsed.
        TfOidcError: No port, or no temporary folder.
    """
    kind = options.pipeline
    if kind not in REHEARSED_KINDS:
        raise UsageError(
            f"A pipeline called {kind!r} cannot be rehearsed.",
            where="--pipeline",
            remedy=f"Use one of {', '.join(REHEARSED_KINDS)}.",
        )
    mock = MockAzure(
        clock=VirtualClock(),
        events=events or EventLog(),
        environment=options.environment,
        id_token_lifetime=options.id_token_lifetime,
        access_token_lifetime=options.access_token_lifetime,
        allowed_hosts=options.allowed_hosts,
        directory=home_of(options.environment, named=_named(options)),
    )
    outer = without_context(options.environment)
    with mock, contextlib.ExitStack() as stack:
        rehearsed(mock, options.existing, environment=outer)
        is_file = KINDS[kind].source == FILE
        path = stack.enter_context(_token_file(mock, kind)) if is_file else ""
        step = mock.pipeline_environment(kind, token_file=path)
        around = {OUTER: _outer(options.environment), AGENT: agent_name(options.environment)}
        there = {REHEARSED: rehearsed_paths(options.existing)}
        yield {**outer, **step, REHEARSAL: kind, **around, **there}


def _named(options: RehearsalOptions) -> Identities:
    texts, strict = options.identities, options.strict_identities
    return parse_identities(texts, strict=strict, where="--identity")


def _outer(environment: Mapping[str, str]) -> str:
    """Return how the outer environment reaches the world: its proxies and certificates."""
    names = {*TRANSPORT, *map(str.upper, PROXIES), *PROXIES}
    return json.dumps({name: environment.get(name) for name in sorted(names)})


def without_context(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what tells which pipeline this is, who signs in, and the proxies on the way."""
    return {
        name: value
        for name, value in environment.items()
        if name not in MARKERS
        and name not in WITHHELD
        and not name.startswith(tuple(WITHHELD_PREFIXES))
        and not name.lower().endswith("_proxy")
    }


@contextlib.contextmanager
def _token_file(mock: MockAzure, kind: str) -> Iterator[str]:
    """Keep a token file fresh, as the kubelet does in a pod."""
    source = _Minted(mock.issuer, kind)
    with tempfile.TemporaryDirectory(prefix="tfoidc-token-") as folder:
        path = Path(folder) / "token"
        kept = KeptTokenFile(path, source=source, clock=mock.clock, audience=DEFAULT_AUDIENCE)
        with kept:
            yield str(kept.path)


@dataclass(frozen=True)
class _Minted:
    """A source beside the stand-in's issuer."""

    issuer: Issuer
    kind: str

    def fetch(self, audience: str, connection: str = "") -> IdToken:  # noqa: ARG002 - Azure DevOps'
        """Mint a token."""
        token = self.issuer.mint(self.kind, audience=audience)
        return parse_id_token(token, where=KINDS[self.kind].label)
