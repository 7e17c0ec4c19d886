"""Reading Terraform's language, with the position of everything, and without running Terraform.

The native syntax is parsed by tree-sitter (several times as fast as python-hcl2); its grammar
takes newlines for spaces, so Terraform's rules about lines are checked on top. The JSON syntax
gives the same objects.
"""

from __future__ import annotations

from pathlib import Path

from pytest_tfoidc.terraform import hcl_json, hcl_native
from pytest_tfoidc.terraform.hcl_body import (
    NOT_LITERAL,
    Attribute,
    Block,
    Body,
    Expression,
    HclError,
    Literal,
    NotLiteral,
    Problem,
    Source,
    Value,
)

__all__ = [
    "NOT_LITERAL",
    "Attribute",
    "Block",
    "Body",
    "Expression",
    "HclError",
    "Literal",
    "NotLiteral",
    "Value",
    "parse",
    "parse_file",
]

BOM = b"\xef\xbb\xbf"


def parse(text: str | bytes, *, file: str | Path) -> Body:
    """Read a file's content: JSON syntax where the file's name ends in `.json`, else native.

    Args:
        text: The content.
        file: The file's name, for messages.

    Raises:
        HclError: The content is not what Terraform's language allows.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    source = Source(data.removeprefix(BOM))
    try:
        return _read(source.checked(), is_json=str(file).endswith(".json"))
    except Problem as problem:
        raise _error(problem, source, str(file)) from problem
    except RecursionError as error:
        raise _error(Problem(0, "the file is nested too deeply"), source, str(file)) from error


def parse_file(path: Path) -> Body:
    """Read a file; see `parse`.

    Raises:
        OSError: The file cannot be read.
        HclError: The content is not what Terraform's language allows.
    """
    return parse(path.read_bytes(), file=path)


def _read(source: Source, *, is_json: bool) -> Body:
    return hcl_json.read(source) if is_json else hcl_native.read(source)


def _error(problem: Problem, source: Source, file: str) -> HclError:
    line, column = source.position(problem.offset)
    is_text = "not UTF-8" not in problem.cause
    return HclError(
        "Not UTF-8 text" if not is_text else "Syntax error",
        file=file,
        line=line,
        column=column,
        cause=problem.cause,
        source_line=source.line_text(line) if is_text else "",
        remedy="Correct this place." if is_text else "Save the file as UTF-8.",
    )
