"""The expressions of templates: `[concat(parameters('a'), '-x')]`, parsed to a tree.

Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Union

from pytest_tfoidc.mockazure.arm.errors import ArmError

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<word>[A-Za-z_$][\w$]*(?:\.[\w$]+)*)"
    r"|(?P<mark>\?\.|\[\?|[()\[\],.]))"
)
MAX_LENGTH = 24_576  # characters, as Azure has it
MAX_NESTING = 50


@dataclass(frozen=True)
class Literal:
    """A text or a number."""

    value: str | int


@dataclass(frozen=True)
class Function:
    """A call. `name`: in the case in which it stands there."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Access:
    """A property or an item of a value. `safe`: null where there is none."""

    value: Node
    index: Node
    safe: bool = False


Node = Union[Literal, Function, Access]  # noqa: UP007 - it names itself


def is_expression(text: str) -> bool:
    """Tell whether a text of a template is an expression; `[[` begins a text with one bracket."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """Parse an expression with its brackets.

    Raises:
        ArmError: It is none.
    """
    if len(text) > MAX_LENGTH:
        raise invalid(f"The template language expression has more than {MAX_LENGTH} characters.")
    parser = _Parser(text)
    node = parser.node(0)
    if not parser.at_end:
        raise parser.error()
    return node


def invalid(why: str) -> ArmError:
    """Return the 400 for a template that cannot be used."""
    message = f"Deployment template validation failed: '{why}'."
    return ArmError(400, "InvalidTemplate", message)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text[1:-1])
        self._next = 0

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, position = [], 0
        while text[position:].strip():
            match = TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self.error()
            tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return tokens

    def error(self) -> ArmError:
        """Return the 400 for this expression."""
        return invalid(f"Unable to parse language expression '{self._text[1:-1]}'")

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self._next >= len(self._tokens)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if not self.at_end else ("", "")

    def _take(self, mark: str = "") -> tuple[str, str]:
        token = self._peek()
        if self.at_end or (mark and token != ("mark", mark)):
            raise self.error()
        self._next += 1
        return token

    def node(self, depth: int) -> Node:
        """Read a value with what is taken of it."""
        if depth > MAX_NESTING:
            raise self.error()
        node = self._value(depth)
        while self._peek()[0] == "mark" and self._peek()[1] in {".", "[", "?.", "[?"}:
            _, mark = self._take()
            if mark in {".", "?."}:
                kind, name = self._take()
                if kind != "word":
                    raise self.error()
                for part in name.split("."):
                    node = Access(node, Literal(part), safe=mark == "?.")
            else:
                node = Access(node, self.node(depth + 1), safe=mark == "[?")
                self._take("]")
        return node

    def _value(self, depth: int) -> Node:
        kind, text = self._take()
        if kind == "text":
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(int(text))
        if kind != "word":
            raise self.error()
        return Function(text, tuple(self._arguments(depth)))

    def _arguments(self, depth: int) -> list[Node]:
        self._take("(")
        arguments: list[Node] = []
        if self._peek() == ("mark", ")"):
            self._take()
            return arguments
        while True:
            arguments.append(self.node(depth + 1))
            if self._take() == ("mark", ")"):
                return arguments
            if self._tokens[self._next - 1] != ("mark", ","):
                raise self.error()
