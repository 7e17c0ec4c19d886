"""A root module as its files describe it: backend, called modules, providers, variables, outputs.

Read without running Terraform. What is wrong beyond the syntax is left to Terraform to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pytest_tfoidc.errors import ModuleError, TfOidcError, UsageError
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.source_files import (
    MODULE_SUFFIXES,
    TEST_SUFFIXES,
    is_override,
    source_files,
)

BUILTIN = "terraform.io/builtin/"
RESOURCE_LABELS = 2
# In test files: what `init` has to fetch.
FETCHED = re.compile(r"^\s*\"?(?:module|provider|mock_provider)\"?[\s:{]", re.MULTILINE)
_DEFAULT_HOST = "registry.terraform.io/"
_DEFAULT_NAMESPACE = "hashicorp"
_LOCAL = ("./", "../", ".\\", "..\\")
_RESOURCES = ("resource", "data", "ephemeral", "action")
# What is needed of a file that is too large to be read as a whole.
_OF_PROVIDER = parser.Needed(frozenset({"provider"}), (b"provider",))
_NEEDED = {
    "resource": parser.Needed(
        frozenset({"provider", "lifecycle"}), (b"provider", b"prevent_destroy")
    ),
    "data": _OF_PROVIDER,
    "ephemeral": _OF_PROVIDER,
    "action": _OF_PROVIDER,
    "module": parser.Needed(frozenset({"source"}), (b"source",)),
    **dict.fromkeys(("provider", "locals", "output", "moved", "import"), parser.Needed()),
}


@dataclass(frozen=True)
class Backend:
    """A `backend` block.

    Attributes:
        type: The backend's type, such as azurerm.
        config: The arguments that are plain literals, and the blocks in it with theirs. They may
            be secrets: never show the values.
        names: The names of all arguments, blocks included.
        file: The file that it is in.
        line: Its first line, from 1.
    """

    type: str
    config: Mapping[str, parser.Literal]
    names: frozenset[str]
    file: Path
    line: int

    def __repr__(self) -> str:
        """Show which arguments there are, never their values."""
        return f"<Backend {self.type} at {self.file}:{self.line}: {', '.join(sorted(self.names))}>"


@dataclass(frozen=True)
class ModuleCall:
    """A `module` block; `path` is the resolved folder of a local source, else None."""

    name: str
    source: str
    path: Path | None
    file: Path
    line: int


@dataclass(frozen=True)
class ProviderRequirement:
    """An entry of `required_providers`; the source has a namespace, and a host if it is unusual."""

    name: str
    source: str
    constraint: str
    file: Path
    line: int


@dataclass(frozen=True)
class Variable:
    """A `variable` block; `type` is its source text, empty where there is none."""

    name: str
    type: str
    has_default: bool
    sensitive: bool
    ephemeral: bool
    file: Path
    line: int


@dataclass(frozen=True)
class ProtectedResource:
    """A resource whose `lifecycle` has `prevent_destroy`, and where that stands."""

    type: str
    name: str
    file: Path
    line: int


@dataclass(frozen=True)
class RootModule:
    """A root module, as the files of one folder describe it.

    Attributes:
        path: The folder.
        files: The files that Terraform reads, overrides last.
        backend: The backend, if there is one; override files have the last word.
        cloud: That block, if there is one; its type is `cloud`.
        calls: The modules that it calls, from this folder's files alone.
        required_version: The constraints on Terraform's version, joined by commas.
        required_providers: What `required_providers` asks for.
        providers: The sources of all providers that Terraform will want for this folder.
        variables: The variables, in the order of the files.
        outputs: The names of the outputs.
        protected: The resources that must not be destroyed (`prevent_destroy`).
        opentofu: Whether it was read as OpenTofu reads it.
        imports: Where its `import` blocks are, as `file:line`.
    """

    path: Path
    files: tuple[Path, ...]
    backend: Backend | None
    cloud: Backend | None
    calls: tuple[ModuleCall, ...]
    required_version: str
    required_providers: tuple[ProviderRequirement, ...]
    providers: frozenset[str]
    variables: tuple[Variable, ...]
    outputs: tuple[str, ...]
    protected: tuple[ProtectedResource, ...] = ()
    opentofu: bool = False
    imports: tuple[str, ...] = ()

    @property
    def secret_variables(self) -> frozenset[str]:
        """The names of the variables that are declared as sensitive or ephemeral."""
        return frozenset(one.name for one in self.variables if one.sensitive or one.ephemeral)

    @property
    def has_cloud(self) -> bool:
        """Whether there is a `cloud` block in the place of a backend."""
        return self.cloud is not None

    def local_modules(self) -> tuple[Path, ...]:
        """Return the folders of all modules that are called by a path, directly or further down.

        Raises:
            ModuleError: A called folder is missing or is no module; it names the call's file:line.
            HclError: A file has a syntax error.
        """
        return tuple(module.path for module in self.called_modules())

    @property
    def needs_providers(self) -> bool:
        """Whether a provider has to be downloaded, for this module or for a local one it calls.

        Raises:
            ModuleError: As for `local_modules`.
        """
        modules = (self, *self.called_modules())
        sources = (source for module in modules for source in module.providers)
        return any(not source.startswith(BUILTIN) for source in sources)

    def called_modules(self) -> tuple[RootModule, ...]:
        """Return all modules that are called by a path, directly or further down.

        Raises:
            ModuleError: As for `local_modules`.
        """
        found: dict[Path, RootModule] = {self.path.resolve(): self}
        waiting = [self]
        while waiting:
            for call in waiting.pop(0).calls:
                if call.path is not None and call.path not in found:
                    found[call.path] = _read_called(call, call.path, opentofu=self.opentofu)
                    waiting.append(found[call.path])
        return tuple(found.values())[1:]


def read_module(path: Path, *, opentofu: bool = False, test_directory: str = "tests") -> RootModule:
    """Read the files of a root module's folder; there are none where it has only test files.

    Args:
        path: The folder.
        opentofu: Whether OpenTofu will run it: `.tofu` files count, and go before `.tf` files of
            the same name.
        test_directory: The folder of its test files.

    Raises:
        UsageError: There is no such folder, or no file for Terraform in it.
        ModuleError: The folder or a file cannot be read.
        HclError: A file has a syntax error; with file, line and column.
    """
    try:
        files = _files(path, opentofu=opentofu)
    except UsageError:
        if not has_test_files(path, test_directory=test_directory, opentofu=opentofu):
            raise
        files = ()
    return _read(path, files, opentofu=opentofu)


def has_test_files(path: Path, *, test_directory: str = "tests", opentofu: bool = False) -> bool:
    """Tell whether a folder, or the folder of test files in it, holds test files."""
    return bool(_test_files(path, test_directory=test_directory, opentofu=opentofu))


def tests_need_init(path: Path, *, test_directory: str) -> bool:
    """Tell whether test files name modules or providers, which `init` has to fetch."""
    files = _test_files(path, test_directory=test_directory, opentofu=False)
    return any(FETCHED.search(file.read_text(encoding="utf-8", errors="replace")) for file in files)


def _test_files(path: Path, *, test_directory: str, opentofu: bool) -> tuple[Path, ...]:
    folders = (folder for folder in (path, path / test_directory) if folder.is_dir())
    return tuple(
        file
        for folder in folders
        for file in source_files(folder, suffixes=TEST_SUFFIXES, opentofu=opentofu)
    )


def _read(path: Path, files: tuple[Path, ...], *, opentofu: bool) -> RootModule:
    parsed = [_parse(file) for file in files]
    backend, cloud = _backend(parsed)
    required = _required_providers(parsed)
    implied = _implied_providers(one.body for one in parsed)
    implied_sources = (_short(name) for name in implied if name not in required)
    return RootModule(
        path=path,
        files=files,
        backend=backend,
        cloud=cloud,
        calls=tuple(_calls(parsed)),
        required_version=_required_version(parsed),
        required_providers=tuple(required.values()),
        providers=frozenset([*(one.source for one in required.values()), *implied_sources]),
        variables=tuple(_variables(parsed)),
        outputs=tuple(name for _, name, _, _ in _merged(parsed, "output")),
        protected=tuple(_protected(parsed)),
        opentofu=opentofu,
        imports=tuple(
            f"{one.file}:{block.line}" for one in parsed for block in one.body.of_type("import")
        ),
    )


def _read_called(call: ModuleCall, path: Path, *, opentofu: bool) -> RootModule:
    try:
        return _read(path, _files(path, opentofu=opentofu), opentofu=opentofu)
    except parser.HclError:
        raise
    except TfOidcError as error:
        raise ModuleError(
            f"The module `{call.name}` cannot be read: {error.what[:1].lower()}{error.what[1:]}",
            where=f"{call.file}:{call.line}",
            cause=f'its source is "{call.source}", which is {path}',
            remedy="Mend the source, or put the module there.",
        ) from error


def _files(path: Path, *, opentofu: bool) -> tuple[Path, ...]:
    """Return the files that Terraform reads, sorted, overrides last."""
    try:
        if not path.is_dir():
            raise UsageError(
                "The module is not a folder" if path.exists() else "There is no such module",
                where=str(path),
                remedy="Name the folder that holds the root module's .tf files.",
            )
        found = source_files(path, suffixes=MODULE_SUFFIXES, opentofu=opentofu)
        others = source_files(path, suffixes=MODULE_SUFFIXES, opentofu=True)
    except OSError as error:
        raise ModuleError(
            "The module's folder cannot be read", where=str(path), cause=str(error.strerror)
        ) from error
    if not found:
        raise _no_files(path, has_opentofu=bool(others))
    return tuple(sorted(found, key=lambda file: (is_override(file), file.name)))


def _no_files(path: Path, *, has_opentofu: bool) -> UsageError:
    what = "The folder holds no Terraform files"
    if has_opentofu:
        cause = "it has .tofu files, which only OpenTofu reads"
        return UsageError(what, where=str(path), cause=cause, remedy="Run it with OpenTofu.")
    return UsageError(
        what,
        where=str(path),
        cause="no file in it ends in .tf or .tf.json",
        remedy="Name the folder that holds the root module's .tf files.",
    )


@dataclass(frozen=True)
class _Parsed:
    """A file and what is in it."""

    file: Path
    body: parser.Body

    @property
    def is_override(self) -> bool:
        return is_override(self.file)

    def settings(self) -> Iterator[parser.Body]:
        return (block.body for block in self.body.of_type("terraform"))


def _parse(file: Path) -> _Parsed:
    try:
        return _Parsed(file, parser.skim_file(file, _NEEDED))
    except OSError as error:
        raise ModuleError(
            "A file of the module cannot be read", where=str(file), cause=str(error.strerror)
        ) from error


def _backend(parsed: Sequence[_Parsed]) -> tuple[Backend | None, Backend | None]:
    """Return the backend, and the `cloud` block in its place; the last override file wins."""
    found = [
        (one, block)
        for one in parsed
        for settings in one.settings()
        for block in settings.of_type("backend", "cloud")
    ]
    if not found:
        return None, None
    one, block = found[-1] if found[-1][0].is_override else found[0]
    inner = {nested.type: _literals(nested.body) for nested in block.body.blocks}
    backend = Backend(
        type=".".join(block.labels) or block.type,
        config=MappingProxyType({**inner, **_literals(block.body)}),
        names=frozenset([*inner, *block.body.attributes]),
        file=one.file,
        line=block.line,
    )
    return (None, backend) if block.type == "cloud" else (backend, None)


def _literals(body: parser.Body) -> dict[str, parser.Literal]:
    values = {name: attribute.value for name, attribute in body.attributes.items()}
    return {name: value for name, value in values.items() if value is not parser.NOT_LITERAL}


def _required_version(parsed: Sequence[_Parsed]) -> str:
    found = [
        (one.is_override, version)
        for one in parsed
        for settings in one.settings()
        if isinstance(version := settings.literal("required_version"), str)
    ]
    overriding = [version for is_override, version in found if is_override]
    return ", ".join(overriding or [version for _, version in found])


def _required_providers(parsed: Sequence[_Parsed]) -> dict[str, ProviderRequirement]:
    return {
        attribute.name: _requirement(attribute, one.file)
        for one in parsed
        for settings in one.settings()
        for block in settings.of_type("required_providers")
        for attribute in block.body.attributes.values()
    }


def _requirement(attribute: parser.Attribute, file: Path) -> ProviderRequirement:
    """Read an entry, also the old form that is nothing but a version."""
    fields = {key: entry.value for key, entry in attribute.expression.entries.items()}
    source = fields.get("source")
    constraint = fields.get("version", attribute.value)
    return ProviderRequirement(
        name=attribute.name,
        source=_short(source if isinstance(source, str) else attribute.name),
        constraint=constraint if isinstance(constraint, str) else "",
        file=file,
        line=attribute.line,
    )


def _short(source: str) -> str:
    """Return a provider's source with its namespace, and with its host if that is unusual."""
    source = source.lower().removeprefix(_DEFAULT_HOST)
    if source == "terraform":
        return f"{BUILTIN}terraform"
    return source if "/" in source else f"{_DEFAULT_NAMESPACE}/{source}"


def _implied_providers(bodies: Iterable[parser.Body]) -> Iterator[str]:
    """Yield the local names of the providers that blocks make use of."""
    for body in bodies:
        for block in body.blocks:
            if block.type in _RESOURCES and block.labels:
                by_type = block.labels[0].split("_")[0]
                yield block.body.text("provider").split(".")[0].strip() or by_type
            elif block.type == "provider" and block.labels:
                yield block.labels[0]
            elif block.type == "check":
                yield from _implied_providers([block.body])


def _calls(parsed: Sequence[_Parsed]) -> Iterator[ModuleCall]:
    for one, name, line, merged in _merged(parsed, "module"):
        source = merged["source"].value if "source" in merged else None
        if not isinstance(source, str):
            continue
        path = _called_path(source, one.file, line) if source.startswith(_LOCAL) else None
        yield ModuleCall(name=name, source=source, path=path, file=one.file, line=line)


def _called_path(source: str, file: Path, line: int) -> Path:
    try:
        return (file.parent / source.replace("\\", "/")).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL in the name
        raise ModuleError(
            "A module's source cannot be a path", where=f"{file}:{line}", cause=str(error)
        ) from error


def _protected(parsed: Sequence[_Parsed]) -> Iterator[ProtectedResource]:
    """Return the resources of which any file says so; false, and only false, says nothing."""
    for one in parsed:
        for block in one.body.of_type("resource"):
            for setting in _prevent_destroy(block.body):
                if setting.value is not False and len(block.labels) == RESOURCE_LABELS:
                    kind, name = block.labels
                    yield ProtectedResource(kind, name, file=one.file, line=setting.line)


def _prevent_destroy(body: parser.Body) -> Iterator[parser.Expression]:
    """Return what `prevent_destroy` is set to; in JSON, `lifecycle` is read as an argument."""
    for block in body.of_type("lifecycle"):
        if "prevent_destroy" in block.body.attributes:
            yield block.body.attributes["prevent_destroy"].expression
    if "lifecycle" in body.attributes:
        expression = body.attributes["lifecycle"].expression
        for part in (expression, *expression.items):
            if "prevent_destroy" in part.entries:
                yield part.entries["prevent_destroy"]


def _variables(parsed: Sequence[_Parsed]) -> Iterator[Variable]:
    for one, name, line, merged in _merged(parsed, "variable"):
        yield Variable(
            name=name,
            type=merged["type"].text if "type" in merged else "",
            has_default="default" in merged,
            sensitive="sensitive" in merged and merged["sensitive"].value is True,
            ephemeral="ephemeral" in merged and merged["ephemeral"].value is True,
            file=one.file,
            line=line,
        )


def _merged(
    parsed: Sequence[_Parsed], kind: str
) -> Iterator[tuple[_Parsed, str, int, dict[str, parser.Attribute]]]:
    """Yield the blocks of a type by name, with what override files set in them."""
    found: dict[str, list[tuple[_Parsed, parser.Block]]] = {}
    for one in parsed:
        for block in one.body.of_type(kind):
            found.setdefault(".".join(block.labels), []).append((one, block))
    for name, blocks in found.items():
        first, block = blocks[0]
        attributes = (item for _, part in blocks for item in part.body.attributes.items())
        yield first, name, block.line, dict(attributes)
