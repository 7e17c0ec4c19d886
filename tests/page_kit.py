"""A page of the documentation that is followed as its reader would: files, commands, answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(\w+(?: [\w-]+)?)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`([\w./-]+\.\w+)`[^`]*:\s*$")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block. `file`: what the sentence before it names, where it ends in a colon."""

    language: str
    text: str
    file: str = ""

    @property
    def commands(self) -> tuple[str, ...]:
        """Return what the reader types."""
        lines = self.text.splitlines()
        return tuple(line.removeprefix("$ ") for line in lines if line.startswith("$ "))


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    found, end = [], 0
    for match in BLOCK.finditer(page):
        named = FILE.search(page[end : match.start()].replace("\n", " "))
        found.append(
            Block(language=match[1], text=match[2], file=named[1] if named else ""),
        )
        end = match.end()
    return found


def blocks(name: str, language: str) -> list[str]:
    """Return the texts of a page's blocks in one language."""
    page = (DOCS / name).read_text(encoding="utf-8")
    return [block.text for block in blocks_of(page) if block.language == language]


def without_figures(line: str) -> str:
    """Return a line of a run as it is told again: other figures, other durations."""
    line = re.sub(r"\d+(\.\d+)?(h|m|s)( \d+(m|s))?\b", "TIME", line)
    line = re.sub(r"\[ *\d+%\]", "[%]", line)
    return re.sub(r"-{3,}", "-", re.sub(r" +", " ", re.sub(r"\d+", "N", line))).strip()
