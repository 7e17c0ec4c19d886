"""Terraform's diagnostics: read from its JSON or from its text, and told to people.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 200  # characters of a first line, before its place
FEW = 3  # so many are named in a sentence, the others counted
# Where Terraform's summary only says what kind of rule it was, and the detail has the user's words.
USERS_WORDS = frozenset(
    {
        "Check block assertion failed",
        "Invalid value for variable",
        "Module output value precondition failed",
        "Resource postcondition failed",
        "Resource precondition failed",
        "Test assertion failed",
    }
)
# What a `check` block says that could not be decided yet, and how its diagnostics are known.
UNDECIDED, CHECK = "Check block assertion known after apply", 'check "'
WORD_FIRST = re.compile(r"[a-z]+[ ,]")
NOWHERE = "<empty>"  # as Terraform names the file of a block that nobody has written
RULE = re.compile(r"This was checked by the validation rule at\s+(?P<file>\S+?):(?P<line>\d+),")
OF_PROVIDER = re.compile(r"\bversions for provider ((?:[\w.-]+/)+[\w-]+)")
UNSUITABLE = re.compile(
    r"given value is not suitable for (?P<name>\S+) declared at"
    r" (?P<file>\S+?):(?P<line>\d+),[\d-]+: (?P<why>.+)"
)
# As HashiCorp's clients write it, and those before them.
SERVICE = re.compile(
    r"\bunexpected status \d+(?: \([^)]*\))? with (?:(?:OData )?error: )?"
    r"((?!response: )\w+: .+)"
)
POLLED = re.compile(r'Status: "(\w*)" Code: "(\w*)" Message: "((?:[^"\\]|\\.)+)"')
AUTOREST = re.compile(r'\bCode="(\w+)" Message="((?:[^"\\]|\\.)+)"')
AZCORE = re.compile(r"ERROR CODE: (\w+)")  # as Microsoft's clients write it
LINE_END = re.compile(r"\\[rn]")  # as a text in quotes has it
MESSAGE = re.compile(r'"message":\s*"((?:[^"\\]|\\.)+)"')
ENTRA = re.compile(r"\bAADSTS\d+: .+")
TRACE = re.compile(r"\s*(?:Trace ID:|Correlation ID:|Timestamp:).*")
HIDDEN = "has an invalid error message as described in the other accompanying messages"
MEANT = re.compile(r"Did you mean (\"[^\"]+\"|`[^`]+`)\?")
# Summaries that only say of what kind a mistake is: the detail names it, and says all.
KIND_ALONE = re.compile(
    r"Unsupported (?:argument|attribute|block type|Terraform Core version)"
    r"|Missing (?:required argument|expected failure)|Reference to unknown .+"
    r"|No value for required variable|Call to unknown function"
    r"|Reference to undeclared .+|Duplicate .+|Extraneous JSON object property"
    r"|Invalid (?:ephemeral resource|resource type|data source|type specification|operand"
    r"|function argument|(?:for_each|count) argument|(?:pre|post)condition expression)"
    r"|Redundant move statement|(?:Moved object|Removed resource) still exists"
    r"|Configuration for import target does not exist"
)
CLAUSE = re.compile(r"; |, and so ")  # what follows it says less
# Terraform's preface to what is wrong, or OpenTofu's.
PREFACE = re.compile(r"\bencountered problems during initiali[sz]ation\b")
SENTENCE = re.compile(r"(?<=[^.\s][.!?])\s+(?=[A-Z\"'`(])")
HEAD = re.compile(r"^(Error|Warning): ", re.MULTILINE)
ON = re.compile(r"^\s+on (.+?) line (\d+)")
FROM_SOURCE = re.compile(r"^\s*\d+: (.*)$")
WITH = re.compile(r"^\s+with (\S+),$")
FRAME = re.compile(r"^[│╷╵](?: |$)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One of Terraform's diagnostics. `file` is relative to the module; `line` counts from 1.

    `line` is 0 where there is none.
    `values`: what Terraform reports of the references in `code`, as `output.name is "rg-prod"`.
    """

    severity: str
    summary: str
    detail: str = ""
    file: str = ""
    line: int = 0
    code: str = ""
    address: str = ""
    values: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether it is an error, not a warning."""
        return self.severity == "error"

    @property
    def text(self) -> str:
        """The diagnostic as a person would write it: severity, summary, place, detail."""
        line = f" line {self.line}" if self.line else ""
        place = f"  on {self.file}{line}" if self.file else ""
        lines = (f"{self.severity.capitalize()}: {self.summary}", place, self.detail)
        return "\n".join(line for line in lines if line)

    @property
    def described(self) -> str:
        """The same with the address, the source line, and the values of what it refers to."""
        lines = [f"{self.severity.capitalize()}: {self.summary}"]
        if self.address:
            lines.append(f"  with {self.address}")
        if self.file:
            lines.append(f"  on {self.file}" + (f" line {self.line}" if self.line else ""))
        if self.code:
            lines.append(f"    {self.code.strip()}")
        lines += [f"      {value}" for value in self.values]
        if self.detail:
            lines.append(self.detail)
        return "\n".join(lines)

    @property
    def place(self) -> str:
        """`FILE:LINE` of what the user has written; empty where Terraform names none."""
        declared = RULE.search(self.detail) or UNSUITABLE.search(_joined(self.detail))
        if declared is not None:
            return f"{declared['file']}:{declared['line']}"
        file = "" if self.file == NOWHERE else self.file
        return f"{file}:{self.line}" if file and self.line else file

    @property
    def headline(self) -> str:
        """The problem in one line, and its place."""
        return with_place(self._said(), self.place)

    def _said(self) -> str:
        summary, detail = _joined(self.summary), _joined(self.detail)
        coded = _coded(f"{summary} {detail}")
        if coded:
            return coded
        if self.summary in USERS_WORDS and (HIDDEN in detail or not detail):
            return f"{summary}, and its error message names a sensitive value, so it is not shown"
        if self.summary in USERS_WORDS and self.detail:
            return _joined(self.detail.strip().split("\n\n")[0])
        unsuitable = UNSUITABLE.search(detail)
        if unsuitable is not None:
            return f"{unsuitable['name']}: {_sentence(unsuitable['why'])}"
        more = _sentence(self.detail.strip().split("\n\n")[0])
        if len(summary) + len(more) > LONGEST:
            more = CLAUSE.split(more, maxsplit=1)[0]
        if not more or len(summary) + len(more) > LONGEST:
            return summary
        meant = MEANT.search(detail)
        more = f"{more.rstrip('.')}; did you mean {meant[1]}?" if meant else more
        return more if KIND_ALONE.fullmatch(summary) else f"{summary}: {more}"


def failing_checks(
    found: Iterable[Mapping[str, Any]], redact: Callable[[str], str] = str
) -> tuple[str, ...]:
    """Return what failed in `check` blocks, in one line each: to Terraform these are warnings.

    Args:
        found: Diagnostics as Terraform's JSON has them.
        redact: Takes secrets out of a text.
    """
    of_checks = (
        one
        for one in found
        if one.get("severity") == "warning"
        and one.get("summary") != UNDECIDED
        and _text(_table(one.get("snippet")).get("context")).startswith(CHECK)
    )
    read = (read_diagnostic(one, redact) for one in of_checks)
    return tuple(dict.fromkeys(one.headline for one in read if one))


def in_order(told: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Put those of one kind in the order of their places: Terraform says them in any order."""
    found = tuple(told)
    kinds = [one.summary for one in found]
    return tuple(sorted(found, key=lambda one: (kinds.index(one.summary), one.file, one.line)))


def wanted_provider(diagnostic: Diagnostic) -> str:
    """Return the provider that could not be had, as NAMESPACE/NAME; empty where there is none."""
    named = OF_PROVIDER.search(_joined(diagnostic.detail))
    return named[1].lower() if named else ""


def with_place(text: str, place: str) -> str:
    """Return a first line: what is wrong without its full stop, cut where it is long; and where."""
    said = _joined(text).rstrip(".:")
    if len(said) > LONGEST:
        said = said[:LONGEST].rsplit(" ", 1)[0] + " …"
    return f"{said} ({place})" if place else said


def sentence(text: str) -> str:
    """Begin a sentence with a capital; what begins with a name is left as the name is written."""
    return text[:1].upper() + text[1:] if WORD_FIRST.match(text) else text


def few(names: Sequence[str], *, joint: str = ", ") -> str:
    """Name the first of several in a sentence, and count the others."""
    shown = joint.join(names[:FEW])
    more = len(names) - FEW
    return f"{shown} and {more} more" if more > 0 else shown


def _coded(text: str) -> str:
    """Return what Entra or Resource Manager said: its code, and its first sentence."""
    entra = ENTRA.search(text)
    if entra is not None:
        return _sentence(TRACE.sub("", entra[0]))
    service = SERVICE.search(text)
    if service is not None:
        return _sentence(service[1])
    old = AUTOREST.search(text)
    if old is not None:
        return f"{old[1]}: {_sentence(LINE_END.sub(' ', old[2]))}"
    polled = POLLED.search(text)
    if polled is not None:
        return f"{polled[2] or polled[1]}: {_sentence(polled[3])}"
    code = AZCORE.search(text)
    if code is None or code[1] == "UNAVAILABLE":
        return ""
    message = MESSAGE.search(text)
    return f"{code[1]}: {_sentence(message[1])}" if message else code[1]


def _joined(text: str) -> str:
    return " ".join(text.split())


def _sentence(text: str) -> str:
    return SENTENCE.split(_joined(text), maxsplit=1)[0]


def read_diagnostic(
    found: Mapping[str, Any], redact: Callable[[str], str] = str
) -> Diagnostic | None:
    """Return a diagnostic as Terraform's JSON has it; None where there is none.

    Args:
        found: What the JSON says.
        redact: Takes secrets out of a text.
    """
    if not found:
        return None
    place, snippet = _table(found.get("range")), _table(found.get("snippet"))
    listed = snippet.get("values")
    values = (
        f"{_text(value.get('traversal'))} {_text(value.get('statement'))}"
        for value in map(_table, listed if isinstance(listed, list) else [])
    )
    line = _table(place.get("start")).get("line")
    return Diagnostic(
        severity=_text(found.get("severity")) or "error",
        summary=redact(_text(found.get("summary"))),
        detail=redact(_text(found.get("detail"))),
        file=_text(place.get("filename")),
        line=line if isinstance(line, int) else 0,
        code=redact(_text(snippet.get("code"))),
        address=_text(found.get("address")),
        values=tuple(map(redact, values)),
    )


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def diagnostics_in(text: str) -> tuple[Diagnostic, ...]:
    """Return the diagnostics in what Terraform printed for people; what stands around them is none.

    Args:
        text: What it printed, with or without its frames.
    """
    plain = FRAME.sub("", text)
    heads = [*HEAD.finditer(plain)]
    ends = [*(head.start() for head in heads), len(plain)][1:]
    return tuple(
        _from_text(head[1].lower(), plain[head.end() : end])
        for head, end in zip(heads, ends, strict=True)
    )


def before_diagnostics(text: str) -> str:
    """Return what Terraform printed before the first of its diagnostics."""
    plain = FRAME.sub("", text)
    head = HEAD.search(plain)
    return (plain[: head.start()] if head else plain).rstrip()


def _from_text(severity: str, body: str) -> Diagnostic:
    summary, _, rest = body.partition("\n\n")
    blocks = rest.split("\n\n") if rest else []
    read: dict[str, Any] = {"values": ()}
    if blocks and any(ON.match(line) or WITH.match(line) for line in blocks[0].splitlines()):
        read = dict(_placed(blocks.pop(0)))
    return Diagnostic(
        severity=severity,
        summary=_joined(summary),
        detail="\n\n".join(blocks).strip(),
        **read,
    )


def _placed(block: str) -> Iterator[tuple[str, Any]]:
    """Yield what the lines between a summary and a detail say: address, place, source, values."""
    lines = block.splitlines()
    on = next(filter(None, map(ON.match, lines)), None)
    address = next(filter(None, map(WITH.match, lines)), None)
    source = [found[1] for found in map(FROM_SOURCE.match, lines) if found]
    if on is not None:
        yield "file", on[1]
        yield "line", int(on[2])
    if address is not None:
        yield "address", address[1]
    yield "code", "\n".join(source)
    yield "values", tuple(line.partition("│ ")[2] for line in lines if line.startswith("    │ "))
