"""The operations on key-values, locks, revisions, labels and snapshots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.appconfig import errors, filters
from pytest_tfoidc.mockazure.appconfig.store import (
    ConfigSnapshot,
    Configuration,
    KeyValue,
    new_etag,
)
from pytest_tfoidc.mockazure.requests import ContentError, parse_object

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.appconfig.auth import Guard

PAGE = 100
MOST = 10_000  # characters of a key, its label, its content type and its value together
KIND = "application/vnd.microsoft.appconfig"
RETENTION = 30 * 24 * 3600
LEAST_RETENTION, MOST_RETENTION = 3600, 90 * 24 * 3600
COMPOSITIONS = ("key", "key_label")
NO_LABEL = (None, "", "\0")
MOST_FILTERS = 3


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to a store. `name`: the key, or the snapshot; empty for lists."""

    request: Request
    query: Mapping[str, list[str]]
    name: str
    content: Configuration = field(repr=False)
    guard: Guard
    now: datetime

    def option(self, name: str) -> str | None:
        """Return a parameter of the query, by its name in lower case."""
        found = self.query.get(name)
        return found[-1] if found else None

    @property
    def label(self) -> str | None:
        """The label that is named; None for no label."""
        label = self.option("label")
        return None if label in NO_LABEL else label

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body.

        Raises:
            ConfigError: It is no JSON object.
        """
        try:
            return parse_object(self.request.body)
        except ContentError as error:
            raise errors.invalid("body", str(error)) from error

    def text(self, name: str) -> str | None:
        """Return a text of the body; None where there is none.

        Raises:
            ConfigError: It is something else.
        """
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            raise errors.invalid(name)
        return value

    def tags(self) -> dict[str, str]:
        """Return the tags of the body."""
        tags = self.body.get("tags") or {}
        if not isinstance(tags, dict) or not all(isinstance(v, str) for v in tags.values()):
            raise errors.invalid("tags")
        return tags

    def find(self) -> KeyValue | None:
        """Return the key-value that is named; None where there is none."""
        return self.content.items.get((self.name, self.label))

    def check_conditions(self, etag: str | None, *, read: bool = False) -> None:
        """Check If-Match and If-None-Match against what is there.

        Raises:
            ConfigError: One of them does not hold: 412, or 304 for a read.
        """
        wanted, unwanted = (self._etags(n) for n in ("if-match", "if-none-match"))
        if wanted and (etag is None or not wanted & {"*", etag}):
            raise errors.precondition_failed()
        if unwanted and etag is not None and unwanted & {"*", etag}:
            if read:
                headers = {"ETag": f'"{etag}"'}
                raise errors.ConfigError(304, "not-modified", "Not modified", headers=headers)
            raise errors.precondition_failed()

    def _etags(self, name: str) -> set[str]:
        parts = self.request.headers.get(name, "").split(",")
        return {part.strip().removeprefix("W/").strip('"') for part in parts} - {""}


Verb = Callable[[Call], Response]


def answer(document: Mapping[str, Any], kind: str, call: Call, *, status: int = 200) -> Response:
    """Return a document with its ETag, in its own media type."""
    headers = {"Content-Type": f"{KIND}.{kind}+json; charset=utf-8"}
    if document.get("etag"):
        headers["ETag"] = f'"{document["etag"]}"'
    moment = document.get("last_modified")
    if moment:
        headers["Last-Modified"] = format_datetime(datetime.fromisoformat(moment), usegmt=True)
    return Response(status, json.dumps(_selected(document, call)).encode(), headers)


def _selected(document: Mapping[str, Any], call: Call) -> dict[str, Any]:
    wanted = call.option("$select")
    if not wanted:
        return dict(document)
    names = {name.strip() for name in wanted.split(",")}
    return {name: value for name, value in document.items() if name in names}


def get(call: Call) -> Response:
    """GET a key-value."""
    call.guard.check("keyValues/read")
    item = call.find()
    moment = _as_of(call)
    if moment is not None:
        then = {(i.key, i.label): i for i in _at(call, moment)}
        item = then.get((call.name, call.label))
    call.check_conditions(item.etag if item else None, read=True)
    if item is None:
        raise errors.not_found()
    return answer(item.document(), "kv", call)


def put(call: Call) -> Response:
    """PUT a key-value."""
    call.guard.check("keyValues/write")
    before = call.find()
    call.check_conditions(before.etag if before else None)
    if before is not None and before.locked:
        raise errors.locked(call.name)
    value, content_type = call.text("value"), call.text("content_type")
    _check_key(call, value, content_type)
    item = KeyValue(
        key=call.name,
        label=call.label,
        value=value,
        content_type=content_type,
        tags=call.tags(),
        modified=call.now,
        etag=new_etag(),
    )
    return answer(call.content.put(item).document(), "kv", call)


def _check_key(call: Call, *values: str | None) -> None:
    if call.name in {".", ".."} or "%" in call.name:
        raise errors.invalid("key", "A key is not '.' or '..', and has no '%'.")
    if "*" in (call.label or "") or "," in (call.label or ""):
        raise errors.invalid("label", "A label has no '*' and no ','.")
    if sum(len(v or "") for v in (call.name, call.label, *values)) > MOST:
        raise errors.ConfigError(413, "too-large", "The key-value is too large.", name=call.name)


def delete(call: Call) -> Response:
    """DELETE a key-value; it is shown once more."""
    call.guard.check("keyValues/delete")
    before = call.find()
    call.check_conditions(before.etag if before else None)
    if before is None:
        return Response(204)
    if before.locked:
        raise errors.locked(call.name)
    del call.content.items[before.key, before.label]
    return answer(before.document(), "kv", call)


def lock(call: Call) -> Response:
    """PUT a lock: nobody changes the key-value until it is unlocked."""
    return _locked(call, locked=True)


def unlock(call: Call) -> Response:
    """DELETE a lock."""
    return _locked(call, locked=False)


def _locked(call: Call, *, locked: bool) -> Response:
    call.guard.check("keyValues/write")
    before = call.find()
    call.check_conditions(before.etag if before else None)
    if before is None:
        raise errors.not_found()
    item = before
    if before.locked is not locked:
        item = call.content.put(before.changed(call.now, locked=locked))
    return answer(item.document(), "kv", call)


def listed(call: Call) -> Response:
    """GET key-values, or those of a snapshot."""
    call.guard.check("keyValues/read")
    name = call.option("snapshot")
    if name is not None:
        items = list(_snapshot(call, name).items)
    else:
        moment = _as_of(call)
        items = _at(call, moment) if moment else call.content.sorted()
    return _page(call, "kvset", [i.document() for i in _matching(call, items)])


def revisions(call: Call) -> Response:
    """GET what key-values were, newest first."""
    call.guard.check("keyValues/read")
    items = _matching(call, list(reversed(call.content.revisions)))
    return _page(call, "kvset", [i.document() for i in items])


def _matching(call: Call, items: list[KeyValue]) -> list[KeyValue]:
    tags = call.query.get("tags", [])
    return filters.matching(items, key=call.option("key"), label=call.option("label"), tags=tags)


def keys(call: Call) -> Response:
    """GET the keys."""
    call.guard.check("keyValues/read")
    holds = filters.of(call.option("name"), "name")
    names = dict.fromkeys(i.key for i in call.content.sorted() if holds(i.key))
    return _page(call, "keyset", [{"name": name} for name in names])


def labels(call: Call) -> Response:
    """GET the labels."""
    call.guard.check("keyValues/read")
    holds = filters.of(call.option("name"), "name")
    found = {i.label for i in call.content.sorted() if holds(i.label)}
    names = sorted(found, key=lambda label: label or "")
    return _page(call, "labelset", [{"name": name} for name in names])


def _as_of(call: Call) -> datetime | None:
    text = call.request.headers.get("accept-datetime", "")
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError as error:
            raise errors.invalid("Accept-Datetime") from error
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc)


def _at(call: Call, moment: datetime) -> list[KeyValue]:
    """Return the key-values as they were at a moment; a deleted one as it was last."""
    found = {(r.key, r.label): r for r in call.content.revisions if r.modified <= moment}
    return sorted(found.values(), key=lambda i: (i.key, i.label or ""))


def _page(call: Call, kind: str, found: Sequence[Mapping[str, Any]]) -> Response:
    text = call.option("after") or "0"
    if not text.isascii() or not text.isdecimal() or len(text) > 9:  # noqa: PLR2004 - digits
        raise errors.invalid("After")
    start = int(text)
    page = found[start : start + PAGE]
    document: dict[str, Any] = {"items": [_selected(item, call) for item in page]}
    headers = {"Content-Type": f"{KIND}.{kind}+json; charset=utf-8"}
    if start + PAGE < len(found):
        query = {**call.query, "after": [str(start + PAGE)]}
        path = quote(call.request.path)
        document["@nextLink"] = f"{path}?{urlencode(query, doseq=True)}"
        headers["Link"] = f'<{document["@nextLink"]}>; rel="next"'
    return Response(200, json.dumps(document).encode(), headers)


def put_snapshot(call: Call) -> Response:
    """PUT a snapshot: the key-values that its filters leave, as they are now."""
    call.guard.check("snapshots/write")
    if call.name in call.content.snapshots:
        raise errors.exists(call.name)
    written = call.body.get("filters")
    if not isinstance(written, list) or not 1 <= len(written) <= MOST_FILTERS:
        raise errors.invalid("filters", f"1 to {MOST_FILTERS} filters are needed.")
    composition = call.text("composition_type") or "key"
    if composition not in COMPOSITIONS:
        raise errors.invalid("composition_type")
    snapshot = ConfigSnapshot(
        name=call.name,
        filters=tuple(map(_filter, written)),
        composition=composition,
        created=call.now,
        retention=_retention(call),
        tags=call.tags(),
        etag=new_etag(),
        items=_composed(call, [_filter(f) for f in written], composition),
    )
    call.content.snapshots[call.name] = snapshot
    made = answer(snapshot.document(), "snapshot", call, status=201)
    place = (
        f"https://{call.request.host}/operations?snapshot={quote(call.name)}&api-version=2023-11-01"
    )
    return Response(201, made.body, {**made.headers, "Operation-Location": place})


def _filter(written: object) -> dict[str, Any]:
    key = written.get("key") if isinstance(written, dict) else None
    label = written.get("label") if isinstance(written, dict) else None
    tags = (written.get("tags") if isinstance(written, dict) else None) or []
    is_right = isinstance(key, str) and (label is None or isinstance(label, str))
    if not is_right or not isinstance(tags, list) or not all(isinstance(t, str) for t in tags):
        raise errors.invalid("filters")
    return {"key": key, "label": label, **({"tags": tags} if tags else {})}


def _retention(call: Call) -> int:
    seconds = call.body.get("retention_period")
    if seconds is None:
        return RETENTION
    is_number = isinstance(seconds, int) and not isinstance(seconds, bool)
    if not is_number or not LEAST_RETENTION <= seconds <= MOST_RETENTION:
        raise errors.invalid("retention_period")
    return int(seconds)


def _composed(
    call: Call, wanted: Sequence[Mapping[str, Any]], composition: str
) -> tuple[KeyValue, ...]:
    """Return what a snapshot holds: of one key, later filters win over earlier ones."""
    found: dict[tuple[str, str | None], KeyValue] = {}
    for one in wanted:
        label = one["label"] if one["label"] is not None else filters.NO_LABEL
        tags = one.get("tags", [])
        for item in filters.matching(call.content.sorted(), key=one["key"], label=label, tags=tags):
            found[item.key, item.label if composition == "key_label" else None] = item
    return tuple(sorted(found.values(), key=lambda i: (i.key, i.label or "")))


def _snapshot(call: Call, name: str) -> ConfigSnapshot:
    snapshot = call.content.snapshots.get(name)
    if snapshot is None:
        raise errors.not_found()
    return snapshot


def get_snapshot(call: Call) -> Response:
    """GET a snapshot."""
    call.guard.check("snapshots/read")
    snapshot = _snapshot(call, call.name)
    call.check_conditions(snapshot.etag, read=True)
    return answer(snapshot.document(), "snapshot", call)


def change_snapshot(call: Call) -> Response:
    """PATCH a snapshot: archive or recover it."""
    call.guard.check("snapshots/archive/action")
    snapshot = _snapshot(call, call.name)
    call.check_conditions(snapshot.etag)
    status = call.text("status")
    if status not in {"archived", "ready"}:
        raise errors.invalid("status")
    archived = call.now if status == "archived" else None
    changed = replace(snapshot, archived=archived, etag=new_etag())
    call.content.snapshots[call.name] = changed
    return answer(changed.document(), "snapshot", call)


def list_snapshots(call: Call) -> Response:
    """GET the snapshots."""
    call.guard.check("snapshots/read")
    holds = filters.of(call.option("name"), "name")
    wanted = call.option("status")
    states = {s.strip() for s in wanted.split(",")} if wanted else {"ready", "archived"}
    found = [s.document() for n, s in sorted(call.content.snapshots.items()) if holds(n)]
    shown = [s for s in found if "*" in states or s["status"] in states]
    return _page(call, "snapshotset", shown)


def operation(call: Call) -> Response:
    """GET how far the making of a snapshot is: it is done."""
    call.guard.check("snapshots/read")
    snapshot = _snapshot(call, call.option("snapshot") or "")
    return Response.json({"id": snapshot.name, "status": "Succeeded", "error": None})
