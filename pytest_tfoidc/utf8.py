"""Texts that can be written whatever they are made of: names of files are not always UTF-8."""

from __future__ import annotations

import re

# What Python reads bytes as that are no text in the encoding of this machine's file names.
UNDECODED = re.compile("[\udc80-\udcff]+")
HALVES = re.compile("[\ud800-\udfff]")


def as_utf8(text: str) -> str:
    """Return a text that can be written as UTF-8.

    Bytes of file names that were read in another encoding are UTF-8 mostly; the rest is replaced.
    """
    if text.isascii():
        return text
    return HALVES.sub("\ufffd", UNDECODED.sub(_read, text))


def _read(found: re.Match[str]) -> str:
    return found[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
