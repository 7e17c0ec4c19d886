"""The native syntax: blocks, arguments, plain values."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_tfoidc.terraform.hcl.body import (
    NOT_LITERAL,
    TEMPLATE,
    TEMPLATE_ESCAPE,
    Attribute,
    Block,
    Body,
    Expression,
    Problem,
    Source,
    Value,
    all_literal,
    all_literal_entries,
    collected,
    number,
)
from pytest_tfoidc.terraform.hcl.skim import Skim, blanked
from pytest_tfoidc.terraform.hcl.syntax_tree import check_expression, parse_tree

if TYPE_CHECKING:
    from tree_sitter import Node

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\(.)|([$%])\4\{", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}
_WRAPPERS = {"expression", "literal_value", "template_expr", "collection_value", "operation"}
_KEYS = {"string_lit", "numeric_lit"}
_REPLACEMENT = "\ufffd"


def read(source: Source, *, skim: Skim | None = None) -> Body:
    """Read a file.

    Args:
        source: The file's content.
        skim: What is needed of the file's blocks, by their types; the rest is not looked at.

    Raises:
        Problem: The syntax is not Terraform's.
    """
    if skim:
        source = Source(blanked(source.data, skim))
    root = parse_tree(source.data)
    body = next((child for child in root.children if child.type != "comment"), None)
    if body is not None and body.type == "object":
        raise Problem(body.start_byte, "an argument or a block must stand here")
    return _Reader(source).file(_flat(root.children), skim or {})


def _flat(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes, with a body's own children in the place of the body."""
    return [part for node in nodes for part in (node.children if node.type == "body" else [node])]


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._data = source.data

    def file(self, nodes: Sequence[Node], skim: Skim) -> Body:
        """Read what stands in a file."""
        if not skim:
            return self.body(nodes)
        self._check_lines(nodes)
        skimmed = [node for node in nodes if node.type == "block" and self._name(node) in skim]
        rest = {node.id for node in skimmed}
        body = self.body([node for node in nodes if node.id not in rest])
        blocks = [
            *body.blocks,
            *(self._block(node, skim[self._name(node)].names) for node in skimmed),
        ]
        return collected(body.attributes.values(), sorted(blocks, key=lambda block: block.line))

    def _name(self, node: Node) -> str:
        """Return the name that an argument or a block begins with."""
        first = node.child(0) if node.child_count else None
        return self._text(first) if first is not None else ""

    def body(self, nodes: Sequence[Node]) -> Body:
        """Read what stands in a file or in a block."""
        self._check_lines(nodes)
        attributes: dict[str, Attribute] = {}
        blocks = []
        for node in nodes:
            if node.type == "attribute":
                attribute = self._attribute(node)
                if attribute.name in attributes:
                    first = attributes[attribute.name].line
                    raise Problem(
                        node.start_byte, f"`{attribute.name}` was set before, on line {first}"
                    )
                attributes[attribute.name] = attribute
            elif node.type == "block":
                blocks.append(self._block(node))
        return collected(attributes.values(), blocks)

    def _check_lines(self, nodes: Sequence[Node]) -> None:
        """Refuse two arguments or blocks on one line."""
        new_line = True
        end = 0
        before = "start"
        for node in nodes:
            new_line = new_line or b"\n" in self._data[end : node.start_byte]
            if node.type != "comment":
                if not new_line:
                    raise Problem(node.start_byte, f"a new line must stand after this {before}")
                new_line = False
                before = "block" if node.type == "block" else "argument"
            end = node.end_byte

    def _attribute(self, node: Node) -> Attribute:
        check_expression(node, self._data)
        parts = [child for child in node.children if child.type != "comment"]
        line, column = self._source.position(node.start_byte)
        return Attribute(self._text(parts[0]), line, column, self._expression(parts[2]))

    def _block(self, node: Node, only: frozenset[str] | None = None) -> Block:
        children = node.children
        start = next(n for n, child in enumerate(children) if child.type == "block_start")
        self._check_header(children[: start + 1])
        inside = _flat(children[start + 1 : -1])
        if only is not None:
            inside = [part for part in inside if self._name(part) in only]
        self._check_braces(children[start], inside, children[-1])
        header = [child for child in children[:start] if child.type != "comment"]
        line, column = self._source.position(node.start_byte)
        return Block(
            type=self._text(header[0]),
            labels=tuple(self._label(label) for label in header[1:]),
            body=self.body(inside),
            line=line,
            column=column,
            end_line=self._source.position(node.end_byte)[0],
        )

    def _check_header(self, header: Sequence[Node]) -> None:
        end = header[0].start_byte
        for node in header:
            if b"\n" in self._data[end : node.start_byte]:
                raise Problem(end, "a block's `{` must stand on the line of its type and labels")
            end = node.end_byte

    def _check_braces(self, start: Node, inside: Sequence[Node], stop: Node) -> None:
        """Refuse a block that is neither spread over lines nor one argument on one line."""
        statements = [node for node in inside if node.type != "comment"]
        if not statements:
            return
        opened = self._has_new_line([start, *inside[: inside.index(statements[0]) + 1]])
        closed = self._has_new_line([*inside[inside.index(statements[-1]) :], stop])
        is_single = len(statements) == 1 and statements[0].type == "attribute"
        if not opened and (closed or not is_single):
            raise Problem(
                statements[0].start_byte, "a block on one line can hold no more than one argument"
            )
        if opened and not closed:
            raise Problem(stop.start_byte, "a new line must stand before this brace")

    def _has_new_line(self, nodes: Sequence[Node]) -> bool:
        pairs = itertools.pairwise(nodes)
        return any(b"\n" in self._data[one.end_byte : two.start_byte] for one, two in pairs)

    def _label(self, node: Node) -> str:
        if node.type == "identifier":
            return self._text(node)
        text = self._text(node)[1:-1]
        if TEMPLATE.search(text):
            raise Problem(node.start_byte, "a label must be a plain string, without a template")
        check_expression(node, self._data)
        return _unescaped(text)

    def _expression(self, node: Node) -> Expression:
        line, column = self._source.position(node.start_byte)
        core = _core(node)
        items = [self._expression(n) for n in core.named_children if _is_item(core, n)]
        entries = self._entries(core)
        known = MappingProxyType({k: v for k, v in entries if k is not None})
        return Expression(
            text=self._text(node),
            value=self._value(core, items, entries),
            line=line,
            column=column,
            end_line=self._source.position(node.end_byte)[0],
            items=tuple(items),
            entries=known,
        )

    def _entries(self, core: Node) -> list[tuple[str | None, Expression]]:
        if core.type != "object":
            return []
        elements = [e.named_children for e in core.named_children if e.type == "object_elem"]
        pairs = [[n for n in element if n.type == "expression"] for element in elements]
        return [(self._key(key), self._expression(value)) for key, value in pairs]

    def _key(self, node: Node) -> str | None:
        """Return an object's key as a string; None where it is computed."""
        core = _core(node)
        if core.type == "variable_expr":
            return self._text(core)
        value = self._value(core, [], []) if core.type in _KEYS else NOT_LITERAL
        return None if value is NOT_LITERAL else str(value)

    def _value(
        self,
        core: Node,
        items: Sequence[Expression],
        entries: Sequence[tuple[str | None, Expression]],
    ) -> Value:
        if core.type in _SIMPLE:
            return _SIMPLE[core.type](self._text(core))
        if core.type == "heredoc_template":
            return self._heredoc(core)
        if core.type == "tuple":
            return all_literal([item.value for item in items])
        if core.type == "object":
            return all_literal_entries([(key, value.value) for key, value in entries])
        return NOT_LITERAL

    def _heredoc(self, core: Node) -> Value:
        if any(child.type.startswith("template_") for child in core.children if child.child_count):
            return NOT_LITERAL
        start, marker, *_, stop = core.children
        text = self._source.text(marker.end_byte, stop.start_byte)
        lines = text.split("\n")[1:-1]
        if self._text(start) == "<<-":
            indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
            lines = [line[min(indents, default=0) :] for line in lines]
        return TEMPLATE_ESCAPE.sub(r"\1{", "".join(f"{line}\n" for line in lines))

    def _text(self, node: Node) -> str:
        return self._source.text(node.start_byte, node.end_byte)


def _core(node: Node) -> Node:
    """Return the node inside the grammar's wrappers."""
    while node.type in _WRAPPERS:
        inside = [child for child in node.children if child.type != "comment"]
        if len(inside) != 1:
            return node
        node = inside[0]
    return node


def _is_item(core: Node, node: Node) -> bool:
    return core.type == "tuple" and node.type == "expression"


def _negative(text: str) -> Value:
    digits = text[1:].strip()
    isnumber = text.startswith("-") and re.fullmatch(r"[\d.]+([eE][-+]?\d+)?", digits)
    return -number(digits) if isnumber else NOT_LITERAL


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    if code:
        return _code_point(int(code, 16))
    return f"{escape[4]}{{" if escape[4] else _NAMED.get(escape[3], escape[3])


def _code_point(number: int) -> str:
    """Return a character; what is none, surrogates among it, becomes the replacement character."""
    is_character = number <= sys.maxunicode and not 0xD800 <= number <= 0xDFFF  # noqa: PLR2004 - Unicode's surrogates
    return chr(number) if is_character else _REPLACEMENT


_SIMPLE: dict[str, Callable[[str], Value]] = {
    "bool_lit": lambda text: text == "true",
    "null_lit": lambda _text: None,
    "numeric_lit": number,
    "unary_operation": _negative,
    "string_lit": lambda text: _unescaped(text[1:-1]),
}
