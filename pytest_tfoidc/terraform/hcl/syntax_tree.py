"""The native syntax tree, and where it breaks Terraform's rules.

tree-sitter's HCL grammar takes newlines for spaces, so it lets pass what Terraform refuses (an
operator on the next line, a string over two lines) and stumbles over a little that Terraform takes.
Here the first is found, and the second is mended in a copy of the same length before parsing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter
import tree_sitter_hcl

from pytest_tfoidc.terraform.hcl.body import Problem

_LANGUAGE = tree_sitter.Language(tree_sitter_hcl.language())
_SPREAD = {  # what may be spread over lines: it stands between brackets, or is text
    "tuple",
    "function_arguments",
    "new_index",
    "for_tuple_expr",
    "for_object_expr",
    "template_interpolation",
    "template_directive",
}
_TEXTS = {"string_lit", "quoted_template"}
_OPENING = {"(", "[", "{", "<<", "<<-", "template_interpolation_start", "template_directive_start"}
_CLOSING = {")", "]", "}", "template_interpolation_end", "template_directive_end"}
_EXPONENT = re.compile(rb"(?<![\w.-])(\d+(?:\.\d+)?)[eE]([-+]?)(\d+)")
_INDENTED_KEY = re.compile(rb"\n[ \t]*([ \t])[(\[-][^\n]*[=:]\Z")
_WINDOW = 200_000  # bytes; tree-sitter's log of more takes too long
_MAX_MENDS = 100
_KEY_WINDOW = 2_000  # bytes before an error that a key may take


def parse_tree(data: bytes) -> tree_sitter.Node:
    """Return the root of the syntax tree; its offsets are those of `data`.

    Raises:
        Problem: The syntax is not Terraform's.
    """
    root = _parse(data)
    if root.has_error:
        root = _mended(data) or root
    if root.has_error:
        raise _diagnosis(root, data)
    return root


def check_expression(expression: tree_sitter.Node, data: bytes) -> None:
    """Apply the rules about lines, and a few more, that the grammar does not know.

    Raises:
        Problem: A rule is broken.
    """
    waiting = [(expression, False)]
    while waiting:
        node, spread = waiting.pop()
        check = _CHECKS.get(node.type)
        if check:
            check(node, data)
        if node.type in {"object", "heredoc_template", *_TEXTS}:
            waiting.extend((child, False) for child in node.children)
        else:
            waiting.extend(_parts(node, data, spread=spread or node.type in _SPREAD))


def leaves(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yield the tree's tokens in the order of the source."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.child_count:
            waiting.extend(reversed(node.children))
        else:
            yield node


def _parse(data: bytes) -> tree_sitter.Node:
    return tree_sitter.Parser(_LANGUAGE).parse(data).root_node


def _parts(
    node: tree_sitter.Node, data: bytes, *, spread: bool
) -> Iterator[tuple[tree_sitter.Node, bool]]:
    """Yield the children, and whether each may be spread over lines."""
    inside = spread
    end = node.start_byte
    for child in node.children:
        if not inside and b"\n" in data[end : child.start_byte]:
            raise Problem(end, "the line ends in the middle of an expression")
        end = child.end_byte
        if child.type in {"(", ")"}:
            inside = spread or child.type == "("
        else:
            yield child, inside


def _check_number(node: tree_sitter.Node, _data: bytes) -> None:
    if (node.text or b"").startswith(b"0x"):
        raise Problem(node.start_byte, "a number must be written in decimal digits")


def _check_text(node: tree_sitter.Node, data: bytes) -> None:
    end = node.start_byte
    for child in node.children:
        stop = child.end_byte if child.type == "template_literal" else child.start_byte
        if b"\n" in data[end:stop]:
            raise Problem(node.start_byte, "a quoted string must end on the line where it starts")
        end = child.end_byte


def _check_heredoc(node: tree_sitter.Node, data: bytes) -> None:
    end = node.children[1].end_byte
    if not data.startswith((b"\n", b"\r\n"), end):
        raise Problem(end, "the line must end after the marker of a heredoc")


def _check_interpolation(node: tree_sitter.Node, _data: bytes) -> None:
    if not any(child.type == "expression" for child in node.children):
        raise Problem(node.start_byte, "an expression must stand between these braces")


def _check_object(node: tree_sitter.Node, data: bytes) -> None:
    separated = True
    end = node.start_byte
    for child in node.children:
        is_new_line = b"\n" in data[end : child.start_byte]
        separated = separated or is_new_line
        if child.type == "object_elem" and not separated:
            raise Problem(child.start_byte, "a comma or a new line must stand before this element")
        if is_new_line and data[child.start_byte : child.end_byte] == b",":
            raise Problem(child.start_byte, "a comma must stand on the line of its element")
        if child.type != "comment":
            separated = child.type in {",", "object_start"}
        end = child.end_byte


_CHECKS = {
    "numeric_lit": _check_number,
    "string_lit": _check_text,
    "quoted_template": _check_text,
    "heredoc_template": _check_heredoc,
    "template_interpolation": _check_interpolation,
    "object": _check_object,
}


def _mended(data: bytes) -> tree_sitter.Node | None:
    """Return the tree of a copy in which what only tree-sitter refuses is written in another way.

    It knows no exponents without a fraction, and it reads `a = b`, new line, `(c) = d` inside an
    object as a call of b. None where that was not all.
    """
    copy = _EXPONENT.sub(lambda number: b"1" * len(number[0]), data)
    for _ in range(_MAX_MENDS):
        root = _parse(copy)
        if not root.has_error:
            return root
        stop = _error_offset(root, copy)[0] + 1
        start = max(0, stop - _KEY_WINDOW)
        key = _INDENTED_KEY.search(copy[start:stop])
        if key is None:
            return None
        comma = start + key.start(1)
        copy = copy[:comma] + b"," + copy[comma + 1 :]
    return None


def _diagnosis(root: tree_sitter.Node, data: bytes) -> Problem:
    """Find the place and the words for what the author of the file has to mend."""
    offset, is_complete = _error_offset(root, data)
    problem = _broken_string(root, data, offset)
    if problem is None and not data[offset:].strip():
        problem = _unclosed(root)
    if problem:
        return problem
    line_start = data.rfind(b"\n", 0, offset) + 1
    if is_complete and data.startswith((b"}", b"]", b")"), offset):
        return Problem(offset, "nothing is open that this could close")
    if is_complete:
        return Problem(offset, "an argument or a block must stand here")
    if not data[line_start:offset].strip():
        return Problem(len(data[:offset].rstrip()), "the line ends in the middle of something")
    return Problem(offset, "an argument, a block or an operator cannot continue like this")


def _error_offset(root: tree_sitter.Node, data: bytes) -> tuple[int, bool]:
    """Return the first byte that cannot follow, and whether what stands before it is complete.

    tree-sitter's tree shows how it went on after the error; only its log tells where it met it.
    """
    start = _sound_until(root)
    window = data[start : start + _WINDOW]
    log: list[str] = []
    parser = tree_sitter.Parser(_LANGUAGE)
    parser.logger = lambda _type, message: log.append(message)
    parser.parse(window)
    error = next((n for n, message in enumerate(log) if message.startswith("detect_error")), 0)
    lexed = next((message for message in reversed(log[:error]) if message.startswith("lex_")), "")
    if not lexed:
        return len(data), False
    row, column = (int(number) for number in re.findall(r"(?:row|column):(\d+)", lexed))
    starts = [0, *(match.end() for match in re.finditer(rb"\n", window))]
    after = window[starts[row] + column :].lstrip()
    is_cut = not after and start + _WINDOW < len(data)
    offset = len(data) if is_cut else start + len(window) - len(after)
    is_complete = "sym:body," in log[error - 1]
    return offset, is_complete or not any(line.startswith("shift state") for line in log[:error])


def _sound_until(root: tree_sitter.Node) -> int:
    """Return the end of the blocks and arguments before the first that is broken."""
    end = 0
    for node in root.children[0].children if root.children[0].type == "body" else root.children:
        if node.has_error or node.type not in {"block", "attribute", "comment"}:
            break
        end = node.end_byte
    return end


def _broken_string(root: tree_sitter.Node, data: bytes, stop: int) -> Problem | None:
    """Find a string before `stop` that does not end on its line."""
    quote: int | None = None
    for leaf in leaves(root):
        if leaf.start_byte > stop:
            break
        if leaf.type == "quoted_template_start":
            quote = leaf.start_byte
        elif leaf.type in {"quoted_template_end", "heredoc_start", "<<", "<<-"}:
            quote = None
        elif quote is not None and b"\n" in data[quote : leaf.end_byte]:
            return Problem(quote, "this quoted string does not end on its line")
    return None


def _unclosed(root: tree_sitter.Node) -> Problem | None:
    """Find the innermost bracket or heredoc that is still open at the end of the file."""
    still_open: list[tree_sitter.Node] = []
    before = ""
    for leaf in leaves(root):
        if leaf.is_missing:
            continue
        is_end_marker = leaf.type == "heredoc_identifier" and not before.startswith("<<")
        if leaf.type in _OPENING:
            still_open.append(leaf)
        elif (leaf.type in _CLOSING or is_end_marker) and still_open:
            still_open.pop()
        before = leaf.type
    if not still_open:
        return None
    is_heredoc = still_open[-1].type.startswith("<<")
    hint = ": its marker must stand alone on a whole line" if is_heredoc else ""
    return Problem(still_open[-1].start_byte, f"this is never closed{hint}")
