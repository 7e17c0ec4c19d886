"""Notices of what came up while tests ran, and failed nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_tfoidc.diagnostics import few
from pytest_tfoidc.events import (
    CheckBlockFailed,
    Event,
    ModuleCopied,
    ProtectionLifted,
    RequestTokenExpiring,
)

SLOW_SECONDS = 5.0
NOTICED = (CheckBlockFailed, ModuleCopied, ProtectionLifted, RequestTokenExpiring)


def notices(events: Iterable[Event]) -> list[str]:
    """Return a sentence for each thing that came up, each once.

    Args:
        events: What happened.
    """
    told = tuple(events)
    found = [
        *(_expiring(e) for e in told if isinstance(e, RequestTokenExpiring)),
        *_copied([e for e in told if isinstance(e, ModuleCopied)]),
        *(_lifted(e) for e in told if isinstance(e, ProtectionLifted)),
        *(_unhealthy(e) for e in told if isinstance(e, CheckBlockFailed)),
    ]
    return list(dict.fromkeys(found))


def _expiring(event: RequestTokenExpiring) -> str:
    return f"The request token expires at {event.expires_at:%H:%M:%S} UTC. {event.consequence}"


def _copied(events: list[ModuleCopied]) -> Iterator[str]:
    """Tell of each module whose copies took long, or hold links to what was too large."""
    for module in dict.fromkeys(event.module for event in events):
        copies = [event for event in events if event.module == module]
        seconds = sum(event.seconds for event in copies)
        linked = max((event.linked for event in copies), key=len)
        number = f"{len(copies)} {'copy' if len(copies) == 1 else 'copies'}"
        if linked:
            yield (
                f"{module}: {_names(linked)} too large to be copied; the copies link to"
                f" {'it' if len(linked) == 1 else 'them'}. Isolation took {seconds:.1f}s"
                f" ({number})."
            )
        elif seconds > SLOW_SECONDS:
            yield f"{module}: isolation took {seconds:.1f}s ({number})."


def _lifted(event: ProtectionLifted) -> str:
    names = few(event.addresses)
    return f"{event.module}: prevent_destroy was lifted in the copy, for the clean-up: {names}."


def _unhealthy(event: CheckBlockFailed) -> str:
    return f"{event.module}: a `check` block failed, which fails no command: {event.words}."


def _names(paths: tuple[str, ...]) -> str:
    return f"{few(paths)} {'is' if len(paths) == 1 else 'are'}"
