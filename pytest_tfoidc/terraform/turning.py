"""Commands that turn without getting on: the same request, answered the same way, for ever.

Counted, not timed: a slow machine only turns more slowly.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_tfoidc.events import Event, RequestAnswered

if TYPE_CHECKING:
    from collections.abc import Callable

# An operation that takes its time is over after 60 polls, whatever its length; what azurerm asks
# again while it waits for something that will not come, it asks thousands of times.
MOST_REPETITIONS = 500
TURNED = "It did not get on: "  # what every reason begins with
LEAST_FAILURE = 400


class Turning:
    """Notices that nothing new has been asked or answered while one request came again and again.

    Args:
        stop: Is told what is asked for, once.
    """

    def __init__(self, stop: Callable[[str], object]) -> None:
        self._stop = stop
        self._known: set[tuple[str, ...]] = set()
        self._repeated: Counter[tuple[str, ...]] = Counter()

    def notice(self, event: Event) -> None:
        """Count an answer; forget all counts where there is something new in it."""
        if not isinstance(event, RequestAnswered) or event.is_sign_in:
            return
        # an error's body may have its time and its number in it
        body = event.body if event.status < LEAST_FAILURE else ""
        answer = (event.method, event.host, event.target, str(event.status), body)
        if answer not in self._known:
            self._known.add(answer)
            self._repeated.clear()
        self._repeated[answer] += 1
        if self._repeated[answer] == MOST_REPETITIONS:
            asked = f"{event.method} https://{event.host}{event.path}"
            self._stop(
                f"{TURNED}{asked} was asked {MOST_REPETITIONS} times and answered with HTTP status"
                f" {event.status} each time; nothing else was new meanwhile."
            )
