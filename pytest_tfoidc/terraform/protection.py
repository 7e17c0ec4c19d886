"""Lifting `prevent_destroy` in a copy: a test destroys what it has made, whatever the module says.

Only the copy is changed, by an override file in each module's folder, and only for the clean-up:
until then a plan that would destroy something fails as it does for the user.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.module import ProtectedResource, RootModule, read_module
from pytest_tfoidc.terraform.source_files import last_override

MODULES_FILE = ".terraform/modules/modules.json"


def lift_protection(
    module: RootModule, folder: Path, *, copy_of: Callable[[Path], Path]
) -> tuple[str, ...]:
    """Allow a module's copy to destroy everything, and return what was protected, as TYPE.NAME.

    Args:
        module: The original.
        folder: The copy, initialized.
        copy_of: Tells where the copy of another local module is.
    """
    called = {copy_of(one.path): one for one in _called(module)}
    folders = {**called, **dict(_installed(folder, opentofu=module.opentofu)), folder: module}
    lifted = [one for place, read in folders.items() for one in _lifted(place, read.protected)]
    return tuple(sorted(set(lifted)))


def _called(module: RootModule) -> tuple[RootModule, ...]:
    try:
        return module.called_modules()
    except TfOidcError:  # Terraform has said it
        return ()


def _installed(folder: Path, *, opentofu: bool) -> Iterator[tuple[Path, RootModule]]:
    """Return the modules that init has fetched."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        modules = json.loads((folder / MODULES_FILE).read_text(encoding="utf-8"))["Modules"]
        for entry in modules:
            place = folder / str(entry["Dir"])
            if str(entry["Dir"]).startswith(".terraform"):
                with contextlib.suppress(TfOidcError):
                    yield place, read_module(place, opentofu=opentofu)


def _lifted(place: Path, protected: tuple[ProtectedResource, ...]) -> Iterator[str]:
    if not protected or not place.is_dir():
        return
    resources: dict[str, dict[str, object]] = {}
    for one in protected:
        resources.setdefault(one.type, {})[one.name] = {"lifecycle": {"prevent_destroy": False}}
        yield f"{one.type}.{one.name}"
    override = json.dumps({"resource": resources})
    last_override(place, "unprotected").write_text(override, encoding="utf-8")
