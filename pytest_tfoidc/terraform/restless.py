"""Why a plan is not empty after an apply: functions that return something else each time."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from pytest_tfoidc.clock import real_now, real_sleep
from pytest_tfoidc.diagnostics import few
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.module import RootModule
from pytest_tfoidc.terraform.source_files import MODULE_PATTERNS

RESTLESS = re.compile(r"\b(timestamp|plantimestamp|uuid|bcrypt)\s*\(")
OUTPUT, MODULE, DATA = "output", "module", "data"
_STEP = re.compile(r'[^.\["]+|\["[^"]*"\]|\[\d+\]')
_LOCAL = re.compile(r"\blocal\.([\w-]+)")
_VARIABLE = re.compile(r"\bvar\.([\w-]+)")
_OF_MODULE = re.compile(r"\bmodule\.([\w-]+)(?:\[[^\]]*\])?\.([\w-]+)")
_OF_DATA = re.compile(r"\bdata\.([\w-]+)\.([\w-]+)")
TELLS_TIME = re.compile(rb"timestamp\s*\(")  # plantimestamp, too
FETCHED = Path(".terraform", "modules")  # in a copy: the modules that init has put there
PATIENCE = 200  # expressions that refer to each other


def await_later_second(module: RootModule, copy: Path) -> None:
    """Wait until the clock shows another second, where a module's values go by the time.

    Terraform tells the time in seconds: on a fast machine what differs each time would not differ.

    Args:
        module: The module under test.
        copy: Its copy, initialized.
    """
    if _tells_time(module, copy):
        real_sleep(1.0 - real_now().microsecond / 1e6)


def _tells_time(module: RootModule, copy: Path) -> bool:
    with contextlib.suppress(OSError, TfOidcError):  # Terraform has said it
        folders = [module.path, *(one.path for one in module.called_modules())]
        own = (file for place in folders for name in MODULE_PATTERNS for file in place.glob(name))
        fetched = (file for name in MODULE_PATTERNS for file in (copy / FETCHED).rglob(name))
        return any(TELLS_TIME.search(file.read_bytes()) for file in chain(own, fetched))
    return False


def restless_cause(module: RootModule, addresses: Sequence[str]) -> str:
    """Return why resources and outputs change each time; empty where it is not seen.

    Args:
        module: The module under test.
        addresses: The addresses of what would change again.
    """
    try:
        found = _Search(module)
        calls = {address: found.call(address) for address in addresses}
        leaders = {
            address: found.leader(address, [one for one in addresses if one != address])
            for address, call in calls.items()
            if not call
        }
    except (OSError, TfOidcError):  # Terraform has said it
        return ""
    by_call: dict[str, list[str]] = {}
    for address, call in calls.items():
        if call:
            by_call.setdefault(call, []).append(address)
    told = [
        f"{few(names)} {'are' if names[1:] else 'is'} set by {call}"
        for call, names in by_call.items()
    ]
    followers = [f"{name} follows {leader}" for name, leader in leaders.items() if leader]
    parts = [f"{'; '.join(told)}, another value each time"] if told else []
    parts += [few(followers, joint="; ")] if followers else []
    return "; ".join(parts) + "." if parts else ""


@dataclass(frozen=True, eq=False)
class _Scope:
    """A module as it is called. `given`: what it is given by the call, in `file` of `caller`."""

    module: RootModule
    bodies: Mapping[Path, parser.Body]
    caller: _Scope | None = None
    file: Path = Path()
    given: Mapping[str, parser.Attribute] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Search:
    """Looks for calls in a module and in what it calls by a path."""

    root: RootModule
    _seen: set[str] = field(default_factory=set)
    _read: dict[Path, dict[Path, parser.Body]] = field(default_factory=dict)

    def call(self, address: str) -> str:
        """Return the first call that an address gets its value from, with its place."""
        self._seen.clear()
        scope, names = self._place(address)
        return next(self._of_block(scope, names), "") if scope else ""

    def leader(self, address: str, others: Sequence[str]) -> str:
        """Return which of the others an address refers to."""
        scope, names = self._place(address)
        blocks = self._blocks(scope, names) if scope else ()
        texts = [one.text for _, block in blocks for one in _attributes(block.body)]
        around = _parts(address)[: -len(names)]
        for other in others:
            steps = _parts(other)
            short = ".".join(steps[len(around) :])
            is_beside = steps[: len(around)] == around and short
            if is_beside and any(re.search(rf"(?<![\w.]){re.escape(short)}\b", t) for t in texts):
                return other
        return ""

    def _place(self, address: str) -> tuple[_Scope | None, tuple[str, ...]]:
        """Return the module that an address lies in, and the rest of the address."""
        steps = _parts(address)
        scope: _Scope | None = _Scope(self.root, self._bodies(self.root))
        while scope is not None and steps[0] == MODULE and len(steps) > 2:  # noqa: PLR2004 - module.NAME
            scope = self._called(scope, steps[1])
            steps = steps[2:]
        return scope, steps

    def _called(self, scope: _Scope, name: str) -> _Scope | None:
        known = {one.path.resolve(): one for one in (self.root, *self.root.called_modules())}
        for file, block in self._blocks(scope, (MODULE, name)):
            path = next((call.path for call in scope.module.calls if call.name == name), None)
            module = known.get(path.resolve()) if path else None
            if module is not None:
                given = block.body.attributes
                return _Scope(module, self._bodies(module), scope, file, given)
        return None

    def _bodies(self, module: RootModule) -> dict[Path, parser.Body]:
        if module.path not in self._read:
            self._read[module.path] = {file: parser.parse_file(file) for file in module.files}
        return self._read[module.path]

    def _blocks(self, scope: _Scope, names: tuple[str, ...]) -> Iterator[tuple[Path, parser.Block]]:
        """Yield the blocks of an address in a module; an override file may have one more."""
        is_special = names[0] in (OUTPUT, MODULE, DATA)
        kind, labels = (names[0], names[1:]) if is_special else ("resource", names)
        for file, body in scope.bodies.items():
            for block in body.of_type(kind):
                if block.labels == labels:
                    yield file, block

    def _of_block(self, scope: _Scope, names: tuple[str, ...]) -> Iterator[str]:
        for file, block in self._blocks(scope, names):
            for attribute in _attributes(block.body):
                yield from self._of(scope, file, attribute)

    def _of(self, scope: _Scope, file: Path, attribute: parser.Attribute) -> Iterator[str]:
        """Yield the calls in an expression, then those in what it refers to."""
        mark = f"{file}:{attribute.line}:{attribute.column}"
        if mark in self._seen or len(self._seen) > PATIENCE:
            return
        self._seen.add(mark)
        text = attribute.text
        for call in RESTLESS.finditer(text):
            line = attribute.expression.line + text.count("\n", 0, call.start())
            yield f"{call[1]}() ({os.path.relpath(file, self.root.path)}:{line})"
        yield from self._in_locals(scope, text)
        for name in _VARIABLE.findall(text):
            if name in scope.given and scope.caller is not None:
                yield from self._of(scope.caller, scope.file, scope.given[name])
        for name, output in _OF_MODULE.findall(text):
            called = self._called(scope, name)
            if called is not None:
                yield from self._of_block(called, (OUTPUT, output))
        for kind, name in _OF_DATA.findall(text):
            yield from self._of_block(scope, (DATA, kind, name))

    def _in_locals(self, scope: _Scope, text: str) -> Iterator[str]:
        for name in _LOCAL.findall(text):
            for file, body in scope.bodies.items():
                for block in body.of_type("locals"):
                    if name in block.body.attributes:
                        yield from self._of(scope, file, block.body.attributes[name])


def _parts(address: str) -> tuple[str, ...]:
    return tuple(step for step in _STEP.findall(address) if not step.startswith("["))


def _attributes(body: parser.Body) -> Iterator[parser.Attribute]:
    yield from body.attributes.values()
    for block in body.blocks:
        yield from _attributes(block.body)
