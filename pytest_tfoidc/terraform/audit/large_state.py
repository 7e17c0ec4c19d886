"""Large states: searched in bounded memory, and never parsed as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pytest_tfoidc.terraform.audit.detector import Detected, Detector
from pytest_tfoidc.terraform.audit.finders import OUTPUT_REMEDY, STATE_REMEDY, FoundCredential
from pytest_tfoidc.terraform.audit.shapes import FREQUENT, all_by_shape

LARGE = 16 * 1024 * 1024  # bytes, from which on a state is too large to be parsed
CHUNK = 4 * 1024 * 1024
OVERLAP = 64 * 1024  # bytes: the longest token
LOOK_BACK = 1024 * 1024  # bytes in which a resource's name stands before its attribute
MOST_FOUND = 1000
# Where a JWT begins, plain or in base64. A state's own texts hardly ever have them.
STARTS = (b"eyJ", b"eyA", b"ew0", b"ewo", b"ewk", b"ZXlK", b"V5S", b"leU")
SHAPE_MARKS = {mark.encode(): mark for mark in FREQUENT}
NAME = re.compile(rb'\n {2,8}"(module|mode|type|name)": "((?:[^"\\]|\\.)*)"')
ATTRIBUTE = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:')


def in_large_state(path: Path, detector: Detector) -> Iterator[FoundCredential]:
    """Look for credentials in a state; a finding names the resource that is before it."""
    told: set[str] = set()
    with path.open("rb") as file:
        for offset, chunk in _chunks(file):
            marks = [mark for form, mark in SHAPE_MARKS.items() if form in chunk]
            if not marks and not _may_hold(chunk, detector):
                continue
            text = chunk.decode("utf-8", "replace")
            for detected in (*detector.find(text), *all_by_shape(text, marks)):
                if detected.key not in told and len(told) < MOST_FOUND:
                    told.add(detected.key)
                    yield _finding(file, offset, chunk, detected)


def _chunks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    offset, before = 0, b""
    while True:
        file.seek(offset + len(before))
        fresh = file.read(CHUNK)
        if not fresh:
            return
        chunk = before + fresh
        yield offset, chunk
        before = chunk[-OVERLAP:]
        offset += len(chunk) - len(before)


def _may_hold(chunk: bytes, detector: Detector) -> bool:
    return any(start in chunk for start in STARTS) or detector.knows(chunk)


def _finding(file: BinaryIO, offset: int, chunk: bytes, detected: Detected) -> FoundCredential:
    place = chunk.find(detected.key.encode("utf-8", "surrogatepass"))
    if place < 0:
        return FoundCredential("somewhere in the text", detected, STATE_REMEDY)
    start = max(0, offset + place - LOOK_BACK)
    file.seek(start)
    before = file.read(offset + place - start)
    attribute = [m[1].decode("utf-8", "replace") for m in ATTRIBUTE.finditer(before[-2000:])]
    label, remedy = _label(before)
    last = f", `{attribute[-1]}`" if attribute else ""
    return FoundCredential(f"{label}{last}", detected, remedy)


def _label(before: bytes) -> tuple[str, str]:
    """Return what a place in a state belongs to, by what is written before it."""
    resources = before.rfind(b'\n  "resources": [')
    if resources < 0 and before.lstrip().startswith(b"{") and b'\n  "outputs": {' in before:
        return "an output", OUTPUT_REMEDY
    names = {m[1].decode(): m[2].decode("utf-8", "replace") for m in NAME.finditer(before)}
    data = "data" if names.get("mode") == "data" else ""
    parts = (names.get("module", ""), data, names.get("type", ""), names.get("name", ""))
    address = ".".join(part for part in parts if part)
    return (f"resource {address}" if address else "a resource"), STATE_REMEDY
