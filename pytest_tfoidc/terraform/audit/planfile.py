"""Saved plans: the zip that `terraform plan -out` writes.

Source: `internal/plans/planfile` and `internal/plans/planproto/planfile.proto` of
hashicorp/terraform. The entry `tfplan` is protobuf, and the values in it are msgpack as cty writes
it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgpack

from pytest_tfoidc.errors import PlanError

FORMAT_VERSION = 3  # of tfplan; the same since Terraform 0.12
TFPLAN = "tfplan"
SOURCES = "tfconfig/"
MODULE = "m-"  # tfconfig/m-/main.tf is the root module's, tfconfig/m-NAME/main.tf a child's
ANOTHER_PART = "another part of the plan"

# Fields of the message Plan, and of the messages in it.
VERSION, VARIABLES, RESOURCE_CHANGES, OUTPUT_CHANGES, BACKEND = 1, 2, 3, 4, 13
TERRAFORM_VERSION, RESOURCE_DRIFT, STATE_STORE = 14, 18, 29
DYNAMIC_VALUE_MSGPACK = 1
MAP_KEY, MAP_VALUE = 1, 2
BACKEND_TYPE, BACKEND_CONFIG, BACKEND_WORKSPACE, STORE_PROVIDER = 1, 2, 3, 4
PROVIDER_CONFIG = 3
RESOURCE_ADDRESS, OUTPUT_NAME = 13, 1

# Wire types, https://protobuf.dev/programming-guides/encoding/
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
MAX_FIELD = 2**29 - 1
VARINT_BITS = 64

BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,  # no such entry
    NotImplementedError,  # a compression that Terraform does not use
    RuntimeError,  # encrypted
    OverflowError,
    ValueError,
)


class MalformedError(ValueError):
    """Bytes that are not what a plan holds. Never quotes them."""


class UnknownValue(Enum):
    """A value that is known after apply only."""

    UNKNOWN = "known after apply"


UNKNOWN: Final = UnknownValue.UNKNOWN


@dataclass(frozen=True)
class PlanPart:
    """A part of the plan as it was written. `label` says which; `raw` may hold secrets."""

    label: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """The content of a saved plan. Its repr shows no value that could be a secret.

    A plan with a `state_store` (Terraform 1.15) has its type and configuration in the backend's
    place, and `provider_config` besides. `variables` holds those that were set, not those that
    have their default. The states are JSON texts; `sources` maps names such as `main.tf` and
    `child/main.tf` to texts. `parts` is everything else in the plan.
    """

    terraform_version: str
    backend_type: str
    workspace: str
    backend_config: Mapping[str, Any] = field(repr=False)
    provider_config: Mapping[str, Any] = field(repr=False)
    variables: Mapping[str, Any] = field(repr=False)
    prior_state: str = field(repr=False)
    previous_state: str = field(repr=False)
    lock_file: str = field(repr=False)
    sources: Mapping[str, str] = field(repr=False)
    parts: tuple[PlanPart, ...] = field(repr=False)


def is_plan(path: Path) -> bool:
    """Say whether the file is a zip with a plan in it, without reading the plan."""
    try:
        with zipfile.ZipFile(path) as archive:
            return TFPLAN in archive.namelist()
    except (OSError, *BROKEN_ZIP):
        return False


def read_plan(path: Path) -> SavedPlan:
    """Read a saved plan.

    Raises:
        PlanError: The file cannot be read, or is not a saved plan.
    """
    try:
        return _saved_plan(_entries(path))
    except OSError as error:
        raise _plan_error("The plan cannot be read.", path, error.strerror or "") from error
    except MalformedError as error:
        raise _plan_error("The file is not a saved plan.", path, str(error)) from error


def _plan_error(what: str, path: Path, cause: str) -> PlanError:
    remedy = "Give a file that `terraform plan -out=FILE` wrote; plan again if it is damaged."
    return PlanError(what, where=str(path), cause=cause, remedy=remedy)


def _entries(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
    except BROKEN_ZIP as error:
        raise MalformedError("It is not a zip archive, or a damaged one.") from error
    if TFPLAN not in entries:
        raise MalformedError(f"The zip archive has no entry `{TFPLAN}`.")
    return entries


def _saved_plan(entries: Mapping[str, bytes]) -> SavedPlan:
    plan = tuple(wire_fields(entries[TFPLAN]))
    version = next((value for number, value in plan if number == VERSION), None)
    if version != FORMAT_VERSION:
        raise MalformedError(f"It is no plan of format version {FORMAT_VERSION}.")
    store = _last(plan, BACKEND) or _last(plan, STATE_STORE)
    backend = tuple(wire_fields(store))
    provider = tuple(wire_fields(_last(backend, STORE_PROVIDER)))
    return SavedPlan(
        terraform_version=_text(_last(plan, TERRAFORM_VERSION)),
        backend_type=_text(_last(backend, BACKEND_TYPE)),
        workspace=_text(_last(backend, BACKEND_WORKSPACE)),
        backend_config=_attributes(_last(backend, BACKEND_CONFIG)),
        provider_config=_attributes(_last(provider, PROVIDER_CONFIG)),
        variables=dict(_variable(entry) for entry in _all(plan, VARIABLES)),
        prior_state=_lenient(entries.get("tfstate", b"")),
        previous_state=_lenient(entries.get("tfstate-prev", b"")),
        lock_file=_lenient(entries.get(".terraform.lock.hcl", b"")),
        sources=_sources(entries),
        parts=tuple(_parts(plan)),
    )


Fields = tuple[tuple[int, int | bytes], ...]


def wire_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield a protobuf message's fields in their order: number, and an integer or bytes.

    Fixed-size numbers are given as their bytes.

    Raises:
        MalformedError: The bytes are no protobuf message.
    """
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= MAX_FIELD:
            raise MalformedError("A field number is out of range.")
        if wire_type == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        size = FIXED_SIZES.get(wire_type)
        if wire_type == LENGTH_DELIMITED:
            size, position = _varint(message, position)
        if size is None:
            raise MalformedError(f"Wire type {wire_type} is not in use.")
        if position + size > len(message):
            raise MalformedError("The message is cut off.")
        yield number, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, VARINT_BITS, 7):
        if position >= len(message):
            raise MalformedError("The message is cut off.")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
            break
    if value >> VARINT_BITS or byte >= 0x80:  # noqa: PLR2004 - the same
        raise MalformedError("A number is too large.")
    return value, position


def _all(fields: Fields, number: int) -> list[bytes]:
    return [value for n, value in fields if n == number and isinstance(value, bytes)]


def _last(fields: Fields, number: int) -> bytes:
    """Return a field's last value, as protobuf decoders do; nothing where it is absent."""
    return next(reversed(_all(fields, number)), b"")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("A text is not UTF-8.") from error


def _lenient(value: bytes) -> str:
    return value.decode("utf-8-sig", "replace")


def _variable(entry: bytes) -> tuple[str, Any]:
    fields = tuple(wire_fields(entry))
    return _text(_last(fields, MAP_KEY)), _dynamic_value(_last(fields, MAP_VALUE))


def _attributes(message: bytes) -> dict[str, Any]:
    value = _dynamic_value(message) if message else {}
    if not isinstance(value, dict | None):
        raise MalformedError("A configuration is not an object.")
    return value or {}


def _dynamic_value(message: bytes) -> Any:  # noqa: ANN401 - whatever the module's author wrote
    packed = _last(tuple(wire_fields(message)), DYNAMIC_VALUE_MSGPACK)
    try:
        value = msgpack.unpackb(
            packed, raw=False, strict_map_key=False, ext_hook=lambda _code, _data: UNKNOWN
        )
        return _without_types(value)
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise MalformedError("A value is not msgpack as Terraform writes it.") from error


def _without_types(value: Any) -> Any:  # noqa: ANN401 - as above
    """Take off the types that cty writes before values of any type: `[type as bytes, value]`.

    cty has no bytes of its own, so bytes are always a type.
    """
    match value:
        case dict():
            return {str(key): _without_types(item) for key, item in value.items()}
        case [bytes(), item]:
            return _without_types(item)
        case list():
            return [_without_types(item) for item in value]
    return value


def _sources(entries: Mapping[str, bytes]) -> dict[str, str]:
    return {
        _source_name(name): _lenient(text)
        for name, text in entries.items()
        if name.startswith(SOURCES)
    }


def _source_name(entry: str) -> str:
    return entry.removeprefix(SOURCES).removeprefix(MODULE).removeprefix("/")


def _parts(plan: Fields) -> Iterator[PlanPart]:
    told_elsewhere = {VARIABLES, BACKEND, STATE_STORE}
    for number, value in plan:
        if number not in told_elsewhere and isinstance(value, bytes):
            yield PlanPart(_part_label(number, value), value)


def _part_label(number: int, value: bytes) -> str:
    labels = {
        RESOURCE_CHANGES: ("planned change of {}", RESOURCE_ADDRESS),
        RESOURCE_DRIFT: ("drift of {}", RESOURCE_ADDRESS),
        OUTPUT_CHANGES: ("planned output `{}`", OUTPUT_NAME),
    }
    if number not in labels:
        return ANOTHER_PART
    label, name = labels[number]
    return label.format(_text(_last(tuple(wire_fields(value)), name)))
