"""Providers that are unpacked once per machine, and shared by every workspace.

The store is a filesystem mirror that only ever grows by whole packages: each is put together beside
it and renamed into place under a lock, and nobody writes to it afterwards. Terraform links to the
packages in it, so there is neither a copy nor an executable that is busy. `TF_PLUGIN_CACHE_DIR`
cannot do that: an init that finds no hash in the lock file writes the package again.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from pytest_tfoidc import processes
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.module import BUILTIN
from pytest_tfoidc.terraform.versions import Version, allows, parse_version

REGISTRIES = {"Terraform": "registry.terraform.io", "OpenTofu": "registry.opentofu.org"}
HOST_NAME_PARTS = 3
INIT_SECONDS = 900.0
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "AMD64": "amd64"}


class UpgradeError(UsageError):
    """An upgrade step that cannot be made as it was asked for."""


def full_source(source: str, *, product: str = "Terraform") -> str:
    """Return a provider's source with its host."""
    has_host = source.count("/") == HOST_NAME_PARTS - 1
    return source if has_host else f"{REGISTRIES.get(product, REGISTRIES['Terraform'])}/{source}"


def short_source(source: str) -> str:
    """Return a provider's source without the default host."""
    for host in REGISTRIES.values():
        source = source.removeprefix(f"{host}/")
    return source


def locked_versions(lock_file: Path) -> dict[str, str]:
    """Read which version of each provider a lock file holds; none where there is no file.

    Raises:
        HclError: The file has a syntax error.
    """
    if not lock_file.is_file():
        return {}
    body = parser.parse_file(lock_file)
    blocks = body.of_type("provider")
    found = ((block.labels[0], block.body.literal("version")) for block in blocks if block.labels)
    return {short_source(source): version for source, version in found if isinstance(version, str)}


@dataclass(frozen=True, kw_only=True)
class ProviderStore:
    """Fetches providers, once each.

    Attributes:
        folder: The store: a filesystem mirror, beside its locks.
        executable: The Terraform that fetches.
        environment: Its environment.
    """

    folder: Path
    executable: Executable
    environment: Mapping[str, str] = field(repr=False)

    @property
    def mirror(self) -> Path:
        """The filesystem mirror."""
        return self.folder / "mirror"

    def provide(self, source: str, constraint: str) -> str:
        """Make sure that a provider is in the store, and give its version.

        Args:
            source: The provider.
            constraint: A version, or constraints; empty for the newest.

        Raises:
            UpgradeError: There is no such version, or not for this platform.
        """
        place = self.mirror / full_source(source, product=self.executable.product)
        version = parse_version(constraint.removeprefix("=")) if constraint else None
        place.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.folder / f"{source.replace('/', '_')}.lock"):
            if version is not None and (place / str(version) / target()).exists():
                return str(version)
            return self._fetch(source, constraint, place)

    def _fetch(self, source: str, constraint: str, place: Path) -> str:
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="fetch-") as name:
            scratch = Path(name)
            wanted = {"source": source} | ({"version": constraint} if constraint else {})
            settings = {"terraform": {"required_providers": {"wanted": wanted}}}
            (scratch / "main.tf.json").write_text(json.dumps(settings), encoding="utf-8")
            said = self._init(scratch)
            packages = scratch / ".terraform" / "providers"
            relative = place.relative_to(self.mirror)
            package = next((packages / relative).glob(f"*/{target()}"), None)
            if said or package is None:
                raise self._not_there(source, constraint, said)
            version = package.parent.name
            self._keep(package, place / version / target())
        return version

    def _keep(self, package: Path, kept: Path) -> None:
        """Put a package into the store, or a link to it where it lies unpacked in a mirror."""
        if kept.exists():
            return
        kept.parent.mkdir(exist_ok=True)
        if package.is_symlink():
            kept.symlink_to(package.resolve())
            return
        for file in package.rglob("*"):
            if file.is_file():
                file.chmod(0o555)
        package.rename(kept)
        with (self.folder / "unpacked.txt").open("a", encoding="utf-8") as journal:
            journal.write(f"{kept.relative_to(self.mirror)}\n")

    def _init(self, scratch: Path) -> str:
        """Return what Terraform said against it, nothing if it went well."""
        environment = dict(self.environment)
        environment.pop("TF_PLUGIN_CACHE_DIR", None)
        try:
            done = processes.run(
                [*self.executable.argv, "init", "-backend=false", "-input=false", "-no-color"],
                directory=scratch,
                environment=environment,
                seconds=INIT_SECONDS,
            )
        except OSError as error:
            return str(error)
        if done.exit_code is None:
            return f"init was still running after {INIT_SECONDS:g} s"
        return "" if done.exit_code == 0 else done.stderr.strip() or "init failed"

    def _not_there(self, source: str, constraint: str, said: str) -> UpgradeError:
        packages = tuple(_mirrored(self.environment, full_source(source)))
        matching = [p for p in packages if allows(constraint, p.version_or_zero)]
        what = f"{source} {constraint or LATEST_WORDS}"
        if matching and all(p.platform != target() for p in matching):
            platforms = ", ".join(sorted({p.platform for p in matching}))
            return UpgradeError(
                f"{what} is not there for {target()}.",
                where=str(matching[0].mirror),
                cause=f"The mirror has it for: {platforms}.",
                remedy=f"Add the package for {target()} to the mirror.",
            )
        there = ", ".join(dict.fromkeys(p.version for p in sorted(packages, key=_by_version)))
        return UpgradeError(
            f"{what} is not to be had.",
            where=str(packages[0].mirror) if packages else "",
            cause=f"There are: {there}." if there else said,
            remedy="Use a version that is there, or correct the mirror or the registry.",
        )


LATEST_WORDS = "(latest)"


def target() -> str:
    """Name this machine's platform as Terraform does."""
    machine = MACHINES.get(platform.machine(), platform.machine())
    return f"{platform.system()}_{machine}".lower()


@dataclass(frozen=True, kw_only=True)
class _Package:
    mirror: Path
    version: str
    platform: str

    @property
    def version_or_zero(self) -> Version:
        return parse_version(self.version) or Version((0, 0, 0))


def _by_version(package: _Package) -> Version:
    return package.version_or_zero


def _mirrored(environment: Mapping[str, str], source: str) -> Iterator[_Package]:
    """Yield the packages of a provider in the filesystem mirrors, unpacked or not."""
    for mirror in _mirrors(environment):
        place = mirror / source
        for unpacked in place.glob("*/*_*"):
            yield _Package(mirror=mirror, version=unpacked.parent.name, platform=unpacked.name)
        for packed in place.glob("terraform-provider-*_*_*_*.zip"):
            version, system, machine = packed.stem.split("_")[-3:]
            yield _Package(mirror=mirror, version=version, platform=f"{system}_{machine}")


def _mirrors(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME") or Path.home())
    config = Path(environment.get("TF_CLI_CONFIG_FILE") or home / ".terraformrc")
    try:
        body = parser.parse_file(config)
    except (OSError, parser.HclError):  # Terraform says what is wrong with it
        return
    for installation in body.of_type("provider_installation"):
        for mirror in installation.body.of_type("filesystem_mirror"):
            path = mirror.body.literal("path")
            if isinstance(path, str):
                yield Path(os.path.normpath(path))


def needs_download(source: str) -> bool:
    """Tell whether a provider is a program of its own."""
    return not source.startswith(BUILTIN)
