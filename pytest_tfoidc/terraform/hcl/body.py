"""The content of a file in Terraform's language, whichever of its two syntaxes it is written in."""

from __future__ import annotations

import enum
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from pytest_tfoidc.errors import TfOidcError

SHOWN_LENGTH = 160  # characters of a source line in a message
TEMPLATE = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")  # what makes a string more than a literal
TEMPLATE_ESCAPE = re.compile(r"([$%])\1\{")  # `$${` and `%%{` stand for `${` and `%{`


class NotLiteral(enum.Enum):
    """The value of an expression that only Terraform can evaluate."""

    NOT_LITERAL = "not a literal"

    def __repr__(self) -> str:
        """Show the marker's name."""
        return self.name


NOT_LITERAL = NotLiteral.NOT_LITERAL

Literal: TypeAlias = str | int | float | bool | list["Literal"] | dict[str, "Literal"] | None
Value: TypeAlias = Literal | NotLiteral


@dataclass(frozen=True)
class Expression:
    """An expression as it is written.

    Attributes:
        text: The source text; in JSON, a string's content.
        value: The value of a plain literal, else NOT_LITERAL.
        line: The first line, from 1.
        column: The first character's column, from 1.
        end_line: The last line.
        items: The elements, where the expression is a list.
        entries: The elements with a plain key, where it is an object.
    """

    text: str
    value: Value
    line: int
    column: int
    end_line: int
    items: tuple[Expression, ...] = ()
    entries: Mapping[str, Expression] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Attribute:
    """An argument: `name = expression`. Lines and columns count from 1."""

    name: str
    line: int
    column: int
    expression: Expression

    @property
    def value(self) -> Value:
        """The literal value, or NOT_LITERAL."""
        return self.expression.value

    @property
    def text(self) -> str:
        """The expression's source text."""
        return self.expression.text


@dataclass(frozen=True)
class Block:
    """A block: `type "label" { body }`. Lines and columns count from 1."""

    type: str
    labels: tuple[str, ...]
    body: Body
    line: int
    column: int
    end_line: int


@dataclass(frozen=True)
class Body:
    """The content of a file or of a block's braces, in the order of the source."""

    attributes: Mapping[str, Attribute] = field(default_factory=lambda: MappingProxyType({}))
    blocks: tuple[Block, ...] = ()

    def of_type(self, *types: str) -> Iterator[Block]:
        """Yield the blocks of these types."""
        return (block for block in self.blocks if block.type in types)

    def literal(self, name: str) -> Value:
        """Return an attribute's value; None where it is unset, NOT_LITERAL where it is computed."""
        attribute = self.attributes.get(name)
        return attribute.value if attribute else None

    def text(self, name: str) -> str:
        """Return an attribute's source text; empty where it is not set."""
        attribute = self.attributes.get(name)
        return attribute.text if attribute else ""


class HclError(TfOidcError):
    """A file that is not in Terraform's language.

    Args:
        what: What happened, as a sentence.
        file: The file.
        line: The line, from 1.
        column: The column in characters, from 1.
        cause: What is wrong there.
        source_line: The offending line.
    """

    def __init__(  # noqa: PLR0913 - the parts of a message, keyword only
        self,
        what: str,
        *,
        file: str,
        line: int,
        column: int,
        cause: str,
        source_line: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(what, where=f"{file}:{line}:{column}", cause=cause, remedy=remedy)
        self.file = file
        self.line = line
        self.column = column
        self.source_line = source_line

    def __str__(self) -> str:
        """Return the message, and under it the offending line with a mark."""
        message = super().__str__()
        if not self.source_line.strip() or self.column > SHOWN_LENGTH:
            return message
        before = self.source_line[: self.column - 1]
        mark = "".join("\t" if character == "\t" else " " for character in before) + "^"
        return f"{message}\n\n    {self.source_line[:SHOWN_LENGTH]}\n    {mark}"


class Problem(Exception):  # noqa: N818 - a note between the readers and parse(), never seen outside
    """Something wrong at a byte of the source."""

    def __init__(self, offset: int, cause: str) -> None:
        super().__init__(cause)
        self.offset = offset
        self.cause = cause


class Source:
    """The bytes of a file, and where its lines begin."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._starts = [0, *(match.end() for match in re.finditer(rb"\n", data))]

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a byte; columns count characters."""
        line = bisect_right(self._starts, offset)
        before = self.data[self._starts[line - 1] : offset]
        return line, len(before.decode("utf-8", "replace")) + 1

    def line_text(self, line: int) -> str:
        """Return a line without its end."""
        start = self._starts[line - 1]
        stop = self.data.find(b"\n", start)
        chunk = self.data[start : stop if stop >= 0 else None]
        return chunk.decode("utf-8", "replace").rstrip("\r")

    def text(self, start: int, stop: int) -> str:
        """Return the text between two bytes, its lines ended by newlines alone."""
        return self.data[start:stop].decode().replace("\r\n", "\n")

    def checked(self) -> Source:
        """Return the source itself if it is UTF-8.

        Raises:
            Problem: It is not.
        """
        try:
            self.data.decode()
        except UnicodeDecodeError as error:
            raise Problem(error.start, f"the file is not UTF-8 ({error.reason})") from error
        return self


def collected(attributes: Iterable[Attribute], blocks: Iterable[Block]) -> Body:
    """Return the body of these parts; for the readers of the two syntaxes."""
    named = {attribute.name: attribute for attribute in attributes}
    return Body(MappingProxyType(named), tuple(blocks))


def all_literal(values: Sequence[Value]) -> Value:
    """Return the list of these values, or NOT_LITERAL where one of them is not plain."""
    plain = [value for value in values if value is not NOT_LITERAL]
    return plain if len(plain) == len(values) else NOT_LITERAL


def all_literal_entries(entries: Sequence[tuple[str | None, Value]]) -> Value:
    """Return the object of these entries, or NOT_LITERAL where a key or a value is not plain."""
    plain = {key: value for key, value in entries if key is not None and value is not NOT_LITERAL}
    is_plain = all(key is not None and value is not NOT_LITERAL for key, value in entries)
    return plain if is_plain else NOT_LITERAL


def number(text: str) -> int | float:
    """Return the number that a literal stands for."""
    try:
        return int(text)
    except ValueError:  # a fraction, an exponent, or thousands of digits
        return float(text)
