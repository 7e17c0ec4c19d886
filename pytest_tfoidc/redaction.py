"""Keeping secrets out of everything that is printed, logged or raised.

One registry, the `Redactor`, knows every secret of a run. It finds them in any usual encoding, in
parts, and across line breaks and frames.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from pytest_tfoidc import secretforms
from pytest_tfoidc.secretindex import Index
from pytest_tfoidc.secretnames import MIN_SECRET_LENGTH
from pytest_tfoidc.secretshapes import Span

__all__ = ["REDACTED", "Redactor", "harmless"]

REDACTED = "(redacted)"
MOST_PASSING = 64  # tokens that live for minutes: older ones are known by their shape
WINDOW = 256 * 1024  # bytes that are looked at together
OVERLAP = 16 * 1024  # bytes that are looked at again with what follows, for what lies across
MOST_HELD = 1024 * 1024  # bytes of one secret that does not end

CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, and moving about
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # titles, links, the clipboard
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
    r"|\r(?=\n)"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"
    # what turns the direction of a text, or is not seen: agents may skip it where they compare
    r"|[\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]",
    re.MULTILINE,
)
LINE_ENDS = re.compile("[\r\x85\u2028\u2029]")
# Azure Pipelines and old runners of GitHub look anywhere in a line, new ones at its start.
JOINERS = "\u200c\u200d\ufe0e\ufe0f"  # are not seen either, and belong to words and pictures
COMMANDS = re.compile(
    rf"#(?=[{JOINERS}]*#[{JOINERS}]*(?:vso|teamcity)?\[)|^([^\w\n]*?):(?=[{JOINERS}]*:[{JOINERS}]*[A-Za-z])",
    re.MULTILINE | re.IGNORECASE,
)
MARKED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe0e\ufe0f\ufeff"
    r"\U000e0000-\U000e007f]|##|::"
)


def harmless(text: str) -> str:
    """Return a text without terminal sequences, and without commands to a pipeline's agent.

    It is what a program printed that we show: nothing in it may be obeyed.
    """
    if not MARKED.search(text):
        return text
    text = LINE_ENDS.sub("\n", CONTROL.sub("", text))
    return COMMANDS.sub(lambda found: f"{found[1] or ''}: " if found[0][-1] == ":" else "# ", text)


class Redactor:
    """Replace known secrets, and everything that looks like a credential, in texts. Thread safe.

    Args:
        notice: Is told every secret when it becomes known, before anybody can use it.
    """

    def __init__(self, notice: Callable[[str], None] = lambda _secret: None) -> None:
        self._notice = notice
        self._secrets: dict[str, None] = {}
        self._values: dict[str, None] = {}
        self._passing: deque[str] = deque(maxlen=MOST_PASSING)
        self._index = Index()
        self._unread: list[str] = []  # not in the index yet
        self._passed = 0  # tokens that the index knows still
        self._lock = threading.Lock()

    def add(self, *secrets: str | None) -> None:
        """Remember credentials that must never be shown, nor be kept in a plan or a state."""
        self._remember(self._secrets, secrets)

    def hide(self, *values: object) -> None:
        """Remember values that must not be shown, but may be kept where they belong.

        They are sensitive variables and outputs, of any type: what is in them counts.
        """
        self._remember(self._values, [text for value in values for text in _texts(value)])

    def hide_passing(self, token: str) -> None:
        """Remember a token for a while: it lives for minutes, and there will be many."""
        with self._lock:
            if len(token) >= MIN_SECRET_LENGTH and token not in self._passing:
                self._passing.append(str(token))
                self._passed += 1
                self._unread.append(str(token))
        if len(token) >= MIN_SECRET_LENGTH:
            self._notice(str(token))

    def _remember(self, kept: dict[str, None], texts: Iterable[str | None]) -> None:
        long = [str(text) for text in texts if text and len(text.strip()) >= MIN_SECRET_LENGTH]
        with self._lock:
            fresh = [text for text in long if text not in {**self._secrets, **self._values}]
            if any(text not in kept for text in long):
                kept.update(dict.fromkeys(long))
                self._unread += fresh
        for text in fresh:
            self._notice(text)

    def know(self, *values: str) -> None:
        """Remember what others have masked already: the secrets of the environment."""
        long = [value for value in values if len(value) >= MIN_SECRET_LENGTH]
        with self._lock:
            self._unread += [value for value in long if value not in self._values]
            self._values.update(dict.fromkeys(long))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials, to look for. They are for comparison only."""
        with self._lock:
            return tuple(self._secrets)

    def _indexed(self) -> Index:
        with self._lock:
            if self._passed > 2 * MOST_PASSING:
                self._index, self._passed = Index(), len(self._passing)
                self._unread = [*self._secrets, *self._values, *self._passing]
            for value in self._unread:
                for part in dict.fromkeys(secretforms.variants(value)):
                    if len(part.strip()) >= MIN_SECRET_LENGTH:
                        self._index.add(part)
            self._unread = []
            return self._index

    def knows(self, text: str) -> bool:
        """Tell whether a text has one of the known secrets in it, in any form."""
        return bool(text) and self._indexed().knows(_bytes(text))

    def holds_secret(self, text: str) -> bool:
        """Tell whether there is anything in a text that `redact` would take out."""
        return self.redact(text) is not text

    def redact(self, text: str) -> str:
        """Return the text with every known secret and everything like a credential replaced."""
        data = _bytes(text)
        whole = b"".join(self.redact_chunks([data]))
        return text if whole == data else whole.decode("utf-8", "surrogatepass")

    def clean(self, text: str) -> str:
        """Return what another program printed, fit to be shown: redacted, and harmless."""
        return harmless(self.redact(text))

    def redact_chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Return a stream with the same replaced, also across the chunks' ends.

        Memory is bounded: what is held back is a few kilobytes, or one secret.
        """
        index, held = self._indexed(), b""
        for chunk in chunks:
            for start in range(0, len(chunk), WINDOW):
                held += chunk[start : start + WINDOW]
                overlap = OVERLAP + 2 * index.longest
                if len(held) >= WINDOW + overlap:
                    done, held = _released(held, index, len(held) - overlap)
                    yield done
        yield _replaced(held, index.spans(held))

    def __repr__(self) -> str:
        """Show how many secrets are known, never which."""
        return f"<Redactor of {len(self._secrets) + len(self._values)} secrets>"


def _released(held: bytes, index: Index, cut: int) -> tuple[bytes, bytes]:
    """Return what can go, redacted, and what has to wait for more."""
    spans = index.spans(held)
    across = next((span for span in spans if span[0] < cut < span[1]), None)
    if across is not None:
        is_open = across[1] == len(held) and len(held) - across[0] < MOST_HELD
        cut = across[0] if is_open else across[1]
    done = [span for span in spans if span[1] <= cut]
    return _replaced(held[:cut], done), held[cut:]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _replaced(data: bytes, spans: list[Span]) -> bytes:
    if not spans:
        return data
    parts, position = [], 0
    for begin, end in spans:
        colours = b"".join(secretforms.ANSI.findall(data[begin:end]))
        parts += [data[position:begin], REDACTED.encode(), colours]
        position = end
    return b"".join([*parts, data[position:]])


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
