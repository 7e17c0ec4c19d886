"""Reading of a large file only what is needed: the rest is blanked before it is parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What may hold a brace that is none, and braces. A string with a quoted string in a template is
# taken for two strings, whose braces still even out.
_TOKEN = re.compile(
    rb'"(?:[^"\\\n]|\\.)*"|#[^\n]*|//[^\n]*|/\*.*?\*/'
    rb"|<<-?([^\W\d][\w-]*)\r?\n.*?^[ \t]*\1[ \t]*\r?$|[{}]",
    re.DOTALL | re.MULTILINE,
)
_HEADER = re.compile(rb"[ \t]*([A-Za-z_][\w-]*)[ \t]")


@dataclass(frozen=True)
class Needed:
    """The parts of the blocks of one type that are needed.

    Attributes:
        names: The arguments and inner blocks.
        words: A block without any of these in it has nothing of that; none: nothing is needed.
    """

    names: frozenset[str] = frozenset()
    words: tuple[bytes, ...] = ()


Skim = Mapping[str, Needed]


def blanked(data: bytes, skim: Skim) -> bytes:
    """Return a text of as many lines, without the insides of blocks of which nothing is needed.

    Args:
        data: A file's content.
        skim: What is needed of blocks, by their type; all of those whose type is not named.
    """
    parts, end, start, depth = [], 0, 0, 0
    for token in _TOKEN.finditer(data):
        if token[0] == b"{":
            start = start if depth else token.end()
            depth += 1
        elif token[0] == b"}":
            depth -= 1
            if depth < 0:
                return data  # whoever parses it says what is wrong
            if not depth and not _is_needed(data, start, token.start(), skim):
                parts += [data[end:start], b"\n" * data.count(b"\n", start, token.start())]
                end = token.start()
    return data if depth else b"".join([*parts, data[end:]])


def _is_needed(data: bytes, start: int, stop: int, skim: Skim) -> bool:
    header = _HEADER.match(data, data.rfind(b"\n", 0, start) + 1)
    needed = skim.get(header[1].decode()) if header else None
    return needed is None or any(data.find(word, start, stop) >= 0 for word in needed.words)
