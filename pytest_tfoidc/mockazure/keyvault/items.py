"""The common parts of secrets, keys and certificates: versions, lists, deletion, backups."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.keyvault import errors
from pytest_tfoidc.mockazure.keyvault.store import Deleted, Item, Version

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.keyvault.call import Call

PAGE = 25  # Key Vault's default, and its most
KINDS = ("secrets", "keys", "certificates")
BACKUP_KEY = b"pytest-tfoidc backup"  # tells our backups from other texts; it protects nothing
MAC = 32  # bytes

Document = dict[str, Any]
Shows = Callable[["Call", Item, Version], Document]


def new_version(
    call: Call,
    content: Mapping[str, Any],
    *,
    managed: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> Version:
    """Return a new version for what a client wrote."""
    given = call.attributes() if attributes is None else attributes
    return Version(
        id=uuid.uuid4().hex,
        created=call.seconds,
        updated=call.seconds,
        content=content,
        attributes={"enabled": True, **given},
        tags=call.tags(),
        managed=managed,
    )


def add_version(call: Call, version: Version) -> Item:
    """Keep a version as the current one of what the request names."""
    item = call.find() or Item(kind=call.kind, name=call.name, versions=())
    return call.put(item.with_version(version))


def update(call: Call, shows: Shows, *, permission: str = "update") -> Response:
    """PATCH attributes, tags and the like of a version."""
    call.check(permission)
    call.check_unmanaged("update")
    item, version = call.existing(), call.existing_version()
    tags = call.tags()
    changed = dataclasses.replace(
        version,
        updated=call.seconds,
        attributes={**version.attributes, **call.attributes()},
        tags=version.tags if tags is None else tags,
    )
    if call.kind == "secrets" and "contentType" in call.body:
        content = {**version.content, "contentType": call.text("contentType")}
        changed = dataclasses.replace(changed, content=content)
    if call.kind == "keys" and isinstance(call.body.get("key_ops"), list):
        content = {**version.content, "key_ops": [str(o) for o in call.body["key_ops"]]}
        changed = dataclasses.replace(changed, content=content)
    item = call.put(item.with_version(changed))
    return Response.json(shows(call, item, changed))


def attributes(call: Call, version: Version) -> Document:
    """Return a version's attributes as they are shown."""
    vault = call.vault
    shown = {**version.attributes, "created": version.created, "updated": version.updated}
    if call.kind != "keys":
        shown.pop("exportable", None)
    shown["recoveryLevel"] = vault.recovery_level
    shown["recoverableDays"] = vault.retained_days
    return shown


def base(call: Call, item: Item, version: Version, *, versioned: bool = True) -> Document:
    """Return what every object shows: id, attributes, tags, and whether it is managed."""
    parts = (item.kind, item.name, version.id) if versioned else (item.kind, item.name)
    shown: Document = {"id": call.url(*parts), "attributes": attributes(call, version)}
    if version.tags is not None:
        shown["tags"] = dict(version.tags)
    if version.managed:
        shown["managed"] = True
    return shown


def summary(call: Call, item: Item, version: Version, *, versioned: bool) -> Document:
    """Return what a list shows of an object: never its value."""
    shown = base(call, item, version, versioned=versioned)
    content = version.content
    if item.kind == "secrets" and content.get("contentType"):
        shown["contentType"] = content["contentType"]
    if item.kind == "keys":
        shown["kid"] = shown.pop("id")
    if item.kind == "certificates":
        shown |= {"x5t": content["x5t"], "subject": content["subject"]}
    return shown


def listed(call: Call) -> Response:
    """GET the objects of a kind."""
    call.check("list")
    items = call.content.of_kind(call.kind)
    return page(call, [summary(call, i, i.latest, versioned=False) for i in items])


def versions(call: Call) -> Response:
    """GET the versions of an object. One that is not there has none: that is no error."""
    call.check("list")
    item = call.find()
    found = item.versions if item else ()
    shown = [summary(call, item, v, versioned=True) for v in found] if item else []
    return page(call, shown)


def page(call: Call, found: Sequence[Document]) -> Response:
    """Return a page of a list, with the link to the next one.

    Raises:
        VaultError: The size or the place of the page is none.
    """
    size, start = _number(call, "maxresults", PAGE), _number(call, "$skiptoken", 0)
    if not 1 <= size <= PAGE:
        raise errors.bad_parameter(f"The maxresults parameter must be from 1 to {PAGE}.")
    rest = {**call.query, "$skiptoken": str(start + size)}
    path = call.request.path.strip("/")
    more = f"{call.url(path)}?{urlencode(rest)}" if start + size < len(found) else None
    return Response.json({"value": list(found[start : start + size]), "nextLink": more})


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 9:  # noqa: PLR2004 - digits
        raise errors.bad_parameter(f"The {name} parameter is invalid.")
    return int(text)


def delete(call: Call, shows: Shows) -> Response:
    """DELETE an object; it can be recovered until it is purged."""
    call.check("delete")
    call.check_unmanaged("delete")
    item = call.existing()
    ends = call.now + timedelta(days=call.vault.retained_days)
    for key in _together(item):
        if key in call.content.items:
            gone = call.content.items.pop(key)
            call.content.deleted[key] = Deleted(item=gone, at=call.now, purged_at=ends)
    return Response.json(_shown_deleted(call, call.deleted(), shows))


def _together(item: Item) -> list[tuple[str, str]]:
    """Return the keys of what is deleted, recovered and purged with an object."""
    return [(k, item.key[1]) for k in KINDS] if item.kind == "certificates" else [item.key]


def _shown_deleted(call: Call, deleted: Deleted, shows: Shows) -> Document:
    item = deleted.item
    shown = shows(call, item, item.latest)
    shown.pop("value", None)
    return {**shown, **_deletion(call, deleted)}


def _deletion(call: Call, deleted: Deleted) -> Document:
    return {
        "recoveryId": call.url(f"deleted{call.kind}", deleted.item.name),
        "deletedDate": _seconds(deleted.at),
        "scheduledPurgeDate": _seconds(deleted.purged_at),
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def list_deleted(call: Call) -> Response:
    """GET the deleted objects of a kind."""
    call.check("list")
    return page(
        call,
        [
            {**summary(call, d.item, d.item.latest, versioned=False), **_deletion(call, d)}
            for d in call.content.deleted_of_kind(call.kind)
        ],
    )


def get_deleted(call: Call, shows: Shows) -> Response:
    """GET a deleted object."""
    call.check("get")
    return Response.json(_shown_deleted(call, call.deleted(), shows))


def purge(call: Call) -> Response:
    """DELETE a deleted object for good."""
    call.check("purge")
    deleted = call.deleted()
    if call.vault.is_protected:
        raise errors.is_protected(errors.KINDS[call.kind].lower())
    for key in _together(deleted.item):
        call.content.deleted.pop(key, None)
    return Response(204)


def recover(call: Call, shows: Shows) -> Response:
    """POST: make a deleted object what it was."""
    call.check("recover")
    item = call.deleted().item
    for key in _together(item):
        if key in call.content.deleted:
            call.content.items[key] = call.content.deleted.pop(key).item
    shown = shows(call, item, item.latest)
    shown.pop("value", None)
    return Response.json(shown)


def backup(call: Call) -> Response:
    """POST: return everything of an object as a text that `restore` takes."""
    call.check("backup")
    item = call.existing()
    together = [call.content.items[k] for k in _together(item) if k in call.content.items]
    content = json.dumps([dataclasses.asdict(i) for i in together]).encode()
    sealed = _seal(content) + content
    return Response.json({"value": base64.urlsafe_b64encode(sealed).decode().rstrip("=")})


def restore(call: Call, shows: Shows) -> Response:
    """POST: bring back a backup, in a vault that has nothing of that name."""
    call.check("restore")
    items = _opened(call.text("value"), call.kind)
    for item in items:
        if item.key in call.content.items or item.key in call.content.deleted:
            message = f"{errors.KINDS[item.kind]} '{item.name}' already exists."
            raise errors.VaultError(409, "Conflict", message)
    for item in items:
        call.put(item)
    main = next(item for item in items if item.kind == call.kind)
    shown = shows(call, main, main.latest)
    shown.pop("value", None)
    return Response.json(shown)


def _opened(text: str, kind: str) -> list[Item]:
    try:
        sealed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise _no_backup() from error
    if not hmac.compare_digest(_seal(sealed[MAC:]), sealed[:MAC]):
        raise _no_backup()
    items = [
        Item(**{**item, "versions": tuple(Version(**v) for v in item["versions"])})
        for item in json.loads(sealed[MAC:])
    ]
    if all(item.kind != kind for item in items):
        raise _no_backup()
    return items


def _no_backup() -> errors.VaultError:
    return errors.bad_parameter("The backup blob is not valid.")


def _seal(content: bytes) -> bytes:
    return hmac.digest(BACKUP_KEY, content, hashlib.sha256)
