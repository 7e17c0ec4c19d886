"""The pages of `docs/reference`, made from the code: signatures, docstrings, options, help texts.

Write what is there now with `python -m tests.package.reference`.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest_tfoidc
from pytest_tfoidc.cli import main as command
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.events import Event
from pytest_tfoidc.plugin import fixtures
from pytest_tfoidc.plugin.options import OPTIONS
from tests.package.surface import is_ours, is_public, makes_itself, shown_default

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
MADE = "<!-- Made from the code: python -m tests.package.reference -->\n"
SECTION = re.compile(r"^(Args|Raises|Returns|Yields):$")
ENTRY = re.compile(r"^(\*{0,2}\w[\w, ]*): (.*)$")


class Shown:
    """An annotation, shown without the quotes of a text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


# Pages


def pages() -> dict[str, str]:
    """Return each page by its file's name."""
    made = {
        "fixtures.md": _titled("Fixtures", _fixtures()),
        "objects.md": _titled("Objects and functions", _objects()),
        "events.md": _titled("Events", _classes(Event)),
        "errors.md": _titled("Errors", _classes(TfOidcError, UNEXPECTED)),
        "options.md": _titled("Options and ini keys", _options()),
        "command.md": _titled("The command tfoidc", _commands()),
    }
    return {name: f"{text.rstrip()}\n" for name, text in made.items()}


UNEXPECTED = pytest_tfoidc.UnexpectedChangesError  # an AssertionError, for pytest's sake


def _titled(title: str, parts: Iterable[str]) -> str:
    return f"# {title}\n\n{MADE}\n" + "\n\n".join(parts)


def _fixtures() -> Iterator[str]:
    for name, found in sorted(vars(fixtures).items()):
        definition = getattr(found, "_fixture_function_marker", None)
        if definition is None or name.startswith("_"):
            continue
        function = inspect.unwrap(found._fixture_function)
        returned = str(inspect.signature(function).return_annotation)
        type_of = (
            returned.removeprefix("Iterator[").removesuffix("]")
            if "Iterator" in returned
            else returned
        )
        scope = (
            definition.scope if isinstance(definition.scope, str) else "as `tf_deployed_scope` says"
        )
        yield f"## {name}\n\nType: `{type_of}`. Scope: {scope}."
        yield from prose(function)


def _objects() -> Iterator[str]:
    for name in pytest_tfoidc.__all__:
        thing = getattr(pytest_tfoidc, name)
        if inspect.isclass(thing) and issubclass(thing, (Event, Exception)):
            continue
        yield from _class(name, thing) if inspect.isclass(thing) else _plain(name, thing)


def _classes(*bases: type) -> Iterator[str]:
    named = [getattr(pytest_tfoidc, name) for name in pytest_tfoidc.__all__]
    found = [one for one in named if inspect.isclass(one) and issubclass(one, bases)]
    for thing in sorted(
        found, key=lambda one: (len(one.__mro__) > len(bases[0].__mro__), one.__name__)
    ):
        yield from _class(thing.__name__, thing)


def _options() -> Iterator[str]:
    yield (
        "Each option has an ini key of the same name, which a `pyproject.toml` keeps under"
        " `[tool.pytest.ini_options]`; what the command line says has the last word. A repeatable"
        " option is a list there, one that takes no value is true or false."
    )
    yield "\n".join(
        [
            "| option | ini key | |",
            "|---|---|---|",
            *(
                f"| `{_cell(f'--tf-{one.name} {one.metavar or str()}'.rstrip())}` | `{one.key}` |"
                f" {_cell(one.help)} |"
                for one in OPTIONS
            ),
        ]
    )


def _commands() -> Iterator[str]:
    parser = command._parser()
    actions = parser._actions
    (subcommands,) = (one.choices for one in actions if isinstance(one.choices, dict))
    for name, sub in subcommands.items():
        yield f"## tfoidc {name}\n\n{_sentence(sub.description)}"
        rows = [_argument(one) for one in sub._actions if one.dest != "help"]
        yield "\n".join(["| argument | |", "|---|---|", *rows])


def _argument(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    takes = (
        ""
        if action.nargs == 0 or not action.option_strings
        else str(action.metavar or action.dest.upper())
    )
    if not takes and action.choices and action.option_strings:
        takes = "|".join(map(str, action.choices))
    return (
        f"| `{_cell(f'{name} {takes}'.rstrip())}` | {_cell((action.help or '') % vars(action))} |"
    )


# Parts


def _class(name: str, thing: type) -> Iterator[str]:
    bases = [base.__name__ for base in thing.__bases__ if base not in {object, Exception}]
    made = dataclasses.is_dataclass(thing) or makes_itself(thing) or issubclass(thing, Exception)
    ours = [base for base in bases if base in pytest_tfoidc.__all__]
    yield f"## {name}"
    yield from prose(thing)
    if ours:
        yield f"Base: {', '.join(f'`{base}`' for base in ours)}."
    if made:
        yield _code(f"{name}{_signature(thing)}")
    for member in filter(is_public, dir(thing)):
        if is_ours(thing, member):
            yield from _member(member, inspect.getattr_static(thing, member))


def _member(name: str, value: object) -> Iterator[str]:
    function: object = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
    if inspect.isfunction(function):
        shown = f"{name}{_signature(function)}"
    else:
        function = getattr(value, "fget", None) or getattr(value, "func", None) or value
        if not callable(function):
            return
        returned = inspect.signature(function).return_annotation
        shown = f"{name}: {returned}"
    yield f"### .{name}\n\n{_code(shown)}"
    yield from prose(function)


def _plain(name: str, thing: object) -> Iterator[str]:
    yield f"## {name}"
    if callable(thing):
        yield _code(f"{name}{_signature(thing)}")
    yield from prose(thing)


def _signature(thing: object) -> str:
    found = inspect.signature(thing)  # type: ignore[arg-type] # it is callable
    parameters = [
        one.replace(annotation=_shown(one.annotation), default=shown_default(one.default))
        for one in found.parameters.values()
        if one.name != "self"
    ]
    returned = (
        inspect.Signature.empty if inspect.isclass(thing) else _shown(found.return_annotation)
    )
    made = str(found.replace(parameters=parameters, return_annotation=returned))
    if len(made) <= 70:
        return made
    inner, _, rest = made[1:].rpartition(")")
    return "(\n    " + ",\n    ".join(_split(inner)) + f",\n){rest}"


def _split(inner: str) -> Iterator[str]:
    """Split parameters at the commas that are in no bracket."""
    depth, begun = 0, 0
    for at, letter in enumerate(inner):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            yield inner[begun:at].strip()
            begun = at + 1
    yield inner[begun:].strip()


def _shown(annotation: object) -> object:
    return Shown(annotation) if isinstance(annotation, str) else annotation


def _code(text: str) -> str:
    return f"```text\n{text}\n```"


def prose(thing: object) -> Iterator[str]:
    """Yield a docstring as Markdown: its sections become lists."""
    text = inspect.getdoc(thing) or ""
    if dataclasses.is_dataclass(thing) and text.startswith(f"{getattr(thing, '__name__', '')}("):
        return  # Python has made it
    lines = [_listed(line) for line in text.splitlines()]
    yield "\n".join(_spaced(lines)).strip()


def _spaced(lines: list[str]) -> Iterator[str]:
    """Put a blank line before what begins a list, and after a section's name."""
    before = ""
    for line in lines:
        if line.startswith("- ") and before and not before.startswith(("- ", "  ")):
            yield ""
        yield line
        before = line


def _listed(line: str) -> str:
    if SECTION.match(line):
        return f"**{line}**"
    if line.startswith("        "):
        return f"  {line.strip()}"
    if line.startswith("    ") and (entry := ENTRY.match(line.strip())):
        return f"- `{entry[1]}`: {entry[2]}"
    return line


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


def write(made: dict[str, str], to: Callable[[str], Path] = FOLDER.joinpath) -> None:
    """Write the pages."""
    for name, text in made.items():
        to(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(pages())
