"""Reading Terraform's language, with the position of everything, and without running Terraform.

The native syntax is parsed by tree-sitter (several times as fast as python-hcl2); its grammar
takes newlines for spaces, so Terraform's rules about lines are checked on top. The JSON syntax
gives the same objects.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pytest_tfoidc.diagnostics import with_place
from pytest_tfoidc.terraform.hcl import json_syntax, native_syntax
from pytest_tfoidc.terraform.hcl.body import (
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
from pytest_tfoidc.terraform.hcl.skim import Needed, Skim

__all__ = [
    "NOT_LITERAL",
    "Attribute",
    "Block",
    "Body",
    "Expression",
    "HclError",
    "Literal",
    "Needed",
    "NotLiteral",
    "Value",
    "parse",
    "parse_file",
    "skim_file",
]

BOM = b"\xef\xbb\xbf"
LARGE_BYTES = 200_000
KEPT_FILES = 512


def parse(text: str | bytes, *, file: str | Path, skim: Skim | None = None) -> Body:
    """Read a file's content: JSON syntax where the file's name ends in `.json`, else native.

    Args:
        text: The content.
        file: The file's name, for messages.
        skim: What is needed of its blocks, by their types; a file in JSON syntax is read as a
            whole.

    Raises:
        HclError: The content is not what Terraform's language allows.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    source = Source(data.removeprefix(BOM))
    try:
        if str(file).endswith(".json"):
            return json_syntax.read(source.checked())
        return native_syntax.read(source.checked(), skim=skim)
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


def skim_file(path: Path, skim: Skim) -> Body:
    """Read a file once, however often it is asked for; of a large one, only what is needed.

    Args:
        path: The file.
        skim: What is needed of its blocks, by their types; all of those of other types.

    Raises:
        OSError: The file cannot be read.
        HclError: The content is not what Terraform's language allows.
    """
    status = path.stat()
    stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
    return _skimmed(os.fspath(path), stamp, tuple(skim.items()))


@lru_cache(maxsize=KEPT_FILES)
def _skimmed(path: str, stamp: tuple[int, int, int], skim: tuple[tuple[str, Needed], ...]) -> Body:
    is_large = stamp[1] > LARGE_BYTES
    return parse(Path(path).read_bytes(), file=path, skim=dict(skim) if is_large else None)


def _error(problem: Problem, source: Source, file: str) -> HclError:
    line, column = source.position(problem.offset)
    is_text = "not UTF-8" not in problem.cause
    place = f"{os.path.basename(file)}:{line}"  # noqa: PTH119 - a text, not a path
    return HclError(
        with_place(f"Syntax error: {problem.cause}" if is_text else "Not UTF-8 text", place),
        file=file,
        line=line,
        column=column,
        cause=problem.cause,
        source_line=source.line_text(line) if is_text else "",
        remedy="Correct this place." if is_text else "Save the file as UTF-8.",
    )
