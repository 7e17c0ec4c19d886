"""Debian's Chromium without a screen, spoken to in its own protocol over a pair of pipes.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_tfoidc.clock import real_seconds

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
    "--remote-debugging-pipe",
)
READS, WRITES = 3, 4  # the descriptors that it takes
HIGH = 10
PATIENCE_SECONDS = 60.0


@dataclass
class Opened:
    """A page that was opened. `load`: milliseconds; `errors`, `requests`: what it caused."""

    load: float
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Browser:
    """A browser with one page.

    Args:
        to: The descriptor that it reads.
        back: The descriptor that it writes to.
    """

    def __init__(self, to: int, back: int) -> None:
        self._to = to
        self._back = back
        self._number = 0
        self._held = b""
        self._events: list[dict[str, Any]] = []
        self._session = ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """Ask for something, and give the answer."""
        self._number += 1
        number = self._number
        asked: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, told["error"]
                result: dict[str, Any] = told["result"]
                return result
            self._events.append(told)

    def _next(self) -> dict[str, Any]:
        deadline = real_seconds() + PATIENCE_SECONDS
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._back], [], [], deadline - real_seconds())
            assert ready, "Chromium does not answer"
            chunk = os.read(self._back, 1 << 20)
            assert chunk, "Chromium has ended"
            self._held += chunk
        message, _, self._held = self._held.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told

    def open(self, path: Path, *, width: int, scheme: str) -> Opened:
        """Open a file, and wait until it is there."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        wanted = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", features=[wanted])
        self._events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not any(one.get("method") == "Page.loadEventFired" for one in self._events):
            self._events.append(self._next())
        timing = "performance.getEntriesByType('navigation')[0]"
        while not (load := float(self.evaluate(f"{timing}.loadEventEnd"))):
            pass
        return Opened(load=load, errors=list(self._errors()), requests=list(self._requests()))

    def _errors(self) -> Iterator[str]:
        for one in self._events:
            told = one.get("params", {})
            if one.get("method") == "Log.entryAdded":
                yield str(told["entry"]["text"])
            elif one.get("method") in {"Runtime.exceptionThrown", "Runtime.consoleAPICalled"}:
                yield json.dumps(told)

    def _requests(self) -> Iterator[str]:
        for one in self._events:
            if one.get("method") == "Network.requestWillBeSent":
                yield str(one["params"]["request"]["url"])

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - of JavaScript
        """Return the value of an expression in the page; a promise is waited for."""
        told = self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Run a browser that keeps its things in a folder."""
    assert CHROMIUM is not None
    its_in, to = map(_high, os.pipe())
    back, its_out = map(_high, os.pipe())

    def hand_over() -> None:
        os.dup2(its_in, READS)
        os.dup2(its_out, WRITES)

    with subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}"],
        preexec_fn=hand_over,  # noqa: PLW1509 - it takes these two descriptors and no others
        pass_fds=(READS, WRITES),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    ) as process:
        os.close(its_in)
        os.close(its_out)
        try:
            yield Browser(to, back)
        finally:
            os.write(to, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            os.close(to)
            os.close(back)


def _high(descriptor: int) -> int:
    """Move a descriptor out of the way of those that the browser takes."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(descriptor)
    return moved
