"""Filesystem mirrors of the providers that are written for tests."""

from __future__ import annotations

import functools
import importlib
import os
import platform
import shlex
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

HOST = "registry.terraform.io"
MOCKCLOUD = "tfoidc/mockcloud"
SHELF = "tfoidc/shelf"
HABITS = "tfoidc/habits"
VERSIONS = ("1.0.0", "2.0.0", "3.0.0")
PROVIDERS = {  # by the name in a source
    name: Path(__file__).with_name(f"{name}.py") for name in ("mockcloud", "shelf", "habits")
}


def target() -> str:
    """Name this machine's platform as Terraform does."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}_{machine}".lower()


def lay_out(
    folder: Path, *, source: str = MOCKCLOUD, versions: tuple[str, ...] = VERSIONS
) -> dict[str, str]:
    """Write a mirror of a provider into a folder, and a CLI configuration that uses nothing else.

    Args:
        folder: An empty folder, or one that has mirrors of other providers.
        source: The provider.
        versions: The versions that are to be had.

    Returns:
        The environment variable that makes Terraform use it.
    """
    home = folder / "home"  # where `tf` keeps its certificate
    home.mkdir(parents=True, exist_ok=True)
    _give_certificate(home)
    for version in versions:
        launcher = launcher_of(folder, source=source, version=version)
        launcher.parent.mkdir(parents=True)
        command = [sys.executable, "-I", str(PROVIDERS[source.rpartition("/")[2]]), version]
        launcher.write_text(
            f"#!/bin/sh\nHOME={shlex.quote(str(home))} exec {shlex.join(command)}\n",
            encoding="utf-8",
        )
        launcher.chmod(0o755)
    return {"TF_CLI_CONFIG_FILE": str(cli_config(folder))}


def _give_certificate(home: Path) -> None:
    """Put the certificate there that `tf` would make: two providers at once would fall over it."""
    file = home / ".cache" / "tf-python-provider" / "ssl_cert.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_certificate(), encoding="utf-8")


@functools.cache
def _certificate() -> str:
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ, HOME=name):
        runner = importlib.import_module("tf.runner")
        runner._self_signed_cert()  # it has no public name
        return (Path(name) / ".cache/tf-python-provider/ssl_cert.json").read_text("utf-8")


def launcher_of(folder: Path, *, source: str = MOCKCLOUD, version: str) -> Path:
    """Return the path of a provider's executable in a mirror."""
    name = source.rpartition("/")[2]
    place = folder / "mirror" / HOST / source / version / target()
    return place / f"terraform-provider-{name}_v{version}"


def pack(folder: Path, *, source: str = MOCKCLOUD, platform: str = "") -> None:
    """Turn the unpacked packages of a mirror into zip archives."""
    place = folder / "mirror" / HOST / source
    for version in [entry.name for entry in place.iterdir()]:
        launcher = launcher_of(folder, source=source, version=version)
        name = launcher.name.replace("_v", "_")
        with zipfile.ZipFile(place / f"{name}_{platform or target()}.zip", "w") as archive:
            archive.write(launcher, launcher.name)
        shutil.rmtree(place / version)


def cli_config(folder: Path) -> Path:
    """Write the CLI configuration that names a mirror as the only source of providers."""
    path = folder / "terraform.rc"
    path.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder / "mirror"}"\n'
        "  }\n}\n",
        encoding="utf-8",
    )
    return path
