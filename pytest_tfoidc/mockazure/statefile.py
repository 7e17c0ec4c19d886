"""The stand-in's content, kept in a file between runs: resources, blobs, directory, connections.

JSON, readable by nobody else: blobs may hold Terraform's state, and so secrets. Only values and the
classes named here are read back; a file cannot make anything else.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.mockazure.appconfig.store import ConfigSnapshot, Configuration, KeyValue
from pytest_tfoidc.mockazure.arm.operations import Operation, OperationsSnapshot
from pytest_tfoidc.mockazure.arm.service import Snapshot
from pytest_tfoidc.mockazure.arm.store import Resource, StoreSnapshot
from pytest_tfoidc.mockazure.arm.subscriptions import Subscription
from pytest_tfoidc.mockazure.devops.organization import DevOpsSnapshot
from pytest_tfoidc.mockazure.graph.objects import DirectoryObject, DirectorySnapshot
from pytest_tfoidc.mockazure.keyvault.store import Content, Deleted, Item, Version
from pytest_tfoidc.mockazure.storage.files import Entry, Share
from pytest_tfoidc.mockazure.storage.leases import Lease
from pytest_tfoidc.mockazure.storage.queues import Message, Queue
from pytest_tfoidc.mockazure.storage.store import Account, Blob, Block, Container, Stamp
from pytest_tfoidc.mockazure.storage.tables import Row, Table

FORMAT = 2  # another one where services are added, or hold something else
CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Account, Blob, Block, Container, Lease, Stamp),
        *(Operation, OperationsSnapshot, Resource, Snapshot, StoreSnapshot, Subscription),
        *(DevOpsSnapshot, DirectoryObject, DirectorySnapshot),
        *(Content, Deleted, Item, Version),
        *(ConfigSnapshot, Configuration, KeyValue),
        *(Entry, Message, Queue, Row, Share, Table),
    )
}


def write_private(path: Path, text: str) -> None:
    """Put a file that nobody else may read in a path's place, at once and as a whole.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        raise UsageError(
            "A file cannot be written.", where=str(path), cause=error.strerror or str(error)
        ) from error


def save(path: Path, held: object) -> None:
    """Keep a snapshot in a file.

    Raises:
        UsageError: It cannot be written.
    """
    write_private(path, json.dumps({"format": FORMAT, "held": encode(held)}))


def load(path: Path) -> Any:  # noqa: ANN401 - what was saved
    """Read a snapshot; None where there is no file yet.

    Raises:
        UsageError: The file is something else, or another version's.
    """
    try:
        return _held(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise UsageError(
            "The file of the stand-in's state cannot be read.",
            where=str(path),
            cause=str(error) or type(error).__name__,
            remedy="Remove it to begin anew, or name another one with --state.",
        ) from error


def _held(document: Any) -> Any:  # noqa: ANN401 - JSON, and what was saved
    if document["format"] != FORMAT:
        raise ValueError("another version of pytest-tfoidc has written it")
    return decode(document["held"])


def encode(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value as JSON. What JSON does not know is an object with a name such as `$bytes`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    return _encode_special(value)


def _encode_mapping(value: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - JSON
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: encode(item) for key, item in value.items()}
    return {"$map": [[encode(key), encode(item)] for key, item in value.items()]}


def _encode_special(value: object) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, timedelta):
        return {"$seconds": value.total_seconds()}
    if isinstance(value, tuple):
        return {"$tuple": [encode(item) for item in value]}
    if isinstance(value, (set, frozenset)):
        kind = "$set" if isinstance(value, set) else "$frozenset"
        return {kind: sorted(map(encode, value))}
    name = type(value).__name__
    if CLASSES.get(name) is not type(value):
        raise TypeError(f"{name} is not kept in files")
    assert dataclasses.is_dataclass(value)  # noqa: S101 - for mypy: all of CLASSES are
    fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return {"$object": [name, fields]}


def _object(value: list[Any]) -> Any:  # noqa: ANN401 - one of CLASSES
    name, fields = value
    return CLASSES[name](**{key: decode(item) for key, item in fields.items()})


DECODERS: dict[str, Callable[[Any], Any]] = {
    "$bytes": lambda v: base64.b64decode(v, validate=True),
    "$datetime": datetime.fromisoformat,
    "$seconds": lambda v: timedelta(seconds=v),
    "$tuple": lambda v: tuple(map(decode, v)),
    "$set": lambda v: set(map(decode, v)),
    "$frozenset": lambda v: frozenset(map(decode, v)),
    "$map": lambda v: {decode(key): decode(item) for key, item in v},
    "$object": _object,
}


def decode(value: Any) -> Any:  # noqa: ANN401 - what was encoded
    """Return back what `encode` was given.

    Raises:
        ValueError: Or KeyError or TypeError: the JSON is not `encode`'s.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    special = [key for key in value if key.startswith("$")]
    if special:
        return DECODERS[special[0]](value[special[0]])
    return {key: decode(item) for key, item in value.items()}
