"""The evidence of a run in every form that it can be asked for; a file's ending says which."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.reporting.eventlines import Read, read_lines, require_place
from pytest_tfoidc.utf8 import as_utf8

Writer = Callable[[Sequence[Read]], str]


def _page(reads: Sequence[Read]) -> str:
    from pytest_tfoidc.reporting.page import page_of  # noqa: PLC0415 - only the form that is wanted

    return page_of(reads)


def _markdown(reads: Sequence[Read]) -> str:
    from pytest_tfoidc.reporting.markdown import markdown_report  # noqa: PLC0415 - as above

    return markdown_report(reads)


def _json(reads: Sequence[Read]) -> str:
    from pytest_tfoidc.reporting.evidencejson import json_report  # noqa: PLC0415 - as above

    return json_report(reads)


def _picture(reads: Sequence[Read]) -> str:
    from pytest_tfoidc.reporting.picture import picture_report  # noqa: PLC0415 - as above

    return picture_report(reads)


FORMS: Mapping[str, Writer] = {
    ".html": _page,
    ".htm": _page,
    ".md": _markdown,
    ".json": _json,
    ".svg": _picture,
}


def require_report(path: Path, option: str) -> None:
    """Make sure that a report can be written, and make its folder.

    Raises:
        UsageError: Its name does not say which form it has, or it cannot be written.
    """
    require_place(path, option)
    _writer(path, option)


def _writer(path: Path, option: str) -> Writer:
    if path.exists() and not path.is_file():  # a device, such as /dev/stdout, has no ending
        return _page
    writer = FORMS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(
            f"The ending of a report says which form it has, and {path.suffix or path.name!r} says"
            " none.",
            where=f"{option} {path}",
            remedy="End it in .html (a page), .md (Markdown), .json (for programs) or .svg (the"
            " timeline as a picture).",
        )
    return writer


def write_reports(lines: Iterable[str], paths: Iterable[Path]) -> dict[Path, OSError]:
    """Write the reports of a run; return what could not be written, and why.

    Args:
        lines: What `--tf-events` writes.
        paths: The files.
    """
    reads = [read_lines(lines, where="the events of this run")]
    tried = ((path, _failure_of(reads, path)) for path in paths)
    return {path: error for path, error in tried if error is not None}


def _failure_of(reads: Sequence[Read], path: Path) -> OSError | None:
    try:
        write_report(reads, path)
    except OSError as error:
        return error
    return None


def write_report(reads: Sequence[Read], path: Path) -> None:
    """Write a report, all or nothing.

    Args:
        reads: What was read of each file of events.
        path: The report, in the form that its ending says.

    Raises:
        OSError: It cannot be written.
        UsageError: Its name does not say which form it has.
    """
    text = as_utf8(_writer(path, "")(reads))
    if path.exists() and not path.is_file():  # a device
        path.write_text(text, encoding="utf-8")
        return
    with tempfile.NamedTemporaryFile(  # 0600, as what it replaces may be secret
        "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
        except OSError:  # a full disk
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)
