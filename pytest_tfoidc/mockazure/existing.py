"""Resources that exist beforehand, from a file: as `az … -o json` prints them, or as YAML.

A file holds one resource or a list. Each is known by what it says of itself: an ARM id, a user's
`userPrincipalName`, a secret's id, a blob's URL, and so on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.mockazure.arm.resource_ids import NAMESPACE, Place, parse_segments
from pytest_tfoidc.mockazure.arm.subscriptions import NAMESPACES
from pytest_tfoidc.mockazure.directory import GUID
from pytest_tfoidc.mockazure.existing_vaults import KINDS, VAULT, id_of, letting_in, request_for
from pytest_tfoidc.mockazure.organizationhosts import DEVOPS_HOST, organization_of
from pytest_tfoidc.mockazure.requests import split_path

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.server import MockAzure

Document = dict[str, Any]

SUFFIXES = (".json", ".yaml", ".yml")
# What stands beside `properties`. The Azure CLI prints many resources flat: the rest belongs there.
BESIDE = frozenset(
    {
        "extendedLocation",
        "id",
        "identity",
        "kind",
        "location",
        "managedBy",
        "name",
        "plan",
        "sku",
        "tags",
        "type",
        "zones",
    }
)
OF_THE_CLI = frozenset({"apiVersion", "etag", "resourceGroup", "systemData"})  # of no use here
MORE_NAMESPACES = frozenset(
    {
        "microsoft.aad",
        "microsoft.alertsmanagement",
        "microsoft.azurestackhci",
        "microsoft.billing",
        "microsoft.chaos",
        "microsoft.cognitivesearch",
        "microsoft.communication",
        "microsoft.confidentialledger",
        "microsoft.consumption",
        "microsoft.databox",
        "microsoft.devcenter",
        "microsoft.devopsinfrastructure",
        "microsoft.deviceupdate",
        "microsoft.easm",
        "microsoft.elastic",
        "microsoft.extendedlocation",
        "microsoft.fabric",
        "microsoft.features",
        "microsoft.graphservices",
        "microsoft.hardwaresecuritymodules",
        "microsoft.hybridcompute",
        "microsoft.hybridcontainerservice",
        "microsoft.hybridnetwork",
        "microsoft.iotcentral",
        "microsoft.kubernetes",
        "microsoft.kubernetesconfiguration",
        "microsoft.loadtestservice",
        "microsoft.media",
        "microsoft.migrate",
        "microsoft.monitor",
        "microsoft.netapp",
        "microsoft.orbital",
        "microsoft.portal",
        "microsoft.quantum",
        "microsoft.resourceconnector",
        "microsoft.resourcehealth",
        "microsoft.saas",
        "microsoft.solutions",
        "microsoft.storagecache",
        "microsoft.storagemover",
        "microsoft.verifiedid",
        "microsoft.videoindexer",
        "microsoft.virtualmachineimages",
        "microsoft.workloads",
    }
)
GRAPH_TYPES = {
    "#microsoft.graph.application": "applications",
    "#microsoft.graph.group": "groups",
    "#microsoft.graph.serviceprincipal": "servicePrincipals",
    "#microsoft.graph.user": "users",
    "#microsoft.graph.administrativeunit": "administrativeUnits",
    "#microsoft.graph.directoryrole": "directoryRoles",
}
# What tells a directory object's collection, the more special before the more general.
GRAPH_MARKS = (
    ("userPrincipalName", "users"),
    ("servicePrincipalType", "servicePrincipals"),
    ("appId", "applications"),
    ("mailNickname", "groups"),
    ("securityEnabled", "groups"),
    ("groupTypes", "groups"),
)
REMEDY = "Write what `az … -o json` prints: docs/stand-in.md lists the kinds."
DATA = 100  # what lies in a vault or an account comes after it
PATIENT_DEPTH = 60  # of nested values


@dataclass(frozen=True, kw_only=True)
class Existing:
    """One thing that is there beforehand. `key` tells it from others; `where`: file and entry."""

    key: str
    where: str
    put: Callable[[MockAzure], object] = field(repr=False, compare=False)
    order: int = 0


def is_file_of_resources(path: Path) -> bool:
    """Tell whether a path is such a file by its name."""
    return path.suffix.lower() in SUFFIXES


def read_existing(paths: Sequence[Path]) -> tuple[Existing, ...]:
    """Read files of resources; parents come before what lies in them.

    Raises:
        UsageError: A file cannot be read, names an unknown type, or a resource comes twice.
    """
    found = [one for path in paths for one in _read(path)]
    known: dict[str, Existing] = {}
    for one in found:
        if one.key in known:
            raise UsageError(
                "A resource is there twice.",
                where=one.where,
                cause=f"{one.key} stands in {known[one.key].where} as well",
                remedy="Leave one of them out.",
            )
        known[one.key] = one
    return tuple(sorted(found, key=lambda one: one.order))


def put_existing(mock: MockAzure, existing: Sequence[Existing]) -> None:
    """Put what was read onto the stand-in.

    Raises:
        UsageError: The stand-in refuses one; with its file and entry.
    """
    for one in existing:
        _put(mock, one)


def _put(mock: MockAzure, one: Existing) -> None:
    try:
        one.put(mock)
    except UsageError as error:
        raise UsageError(
            f"{one.key} cannot be put onto the stand-in.",
            where=one.where,
            cause=error.cause or error.what,
            remedy=error.remedy or REMEDY,
        ) from error


def entries_of(path: Path) -> list[Any]:
    """Return the entries of a file, whatever they are: it holds one, or a list.

    Raises:
        UsageError: It cannot be read.
    """
    value = _parsed(path)
    if isinstance(value, dict) and isinstance(value.get("value"), list) and "id" not in value:
        value = value["value"]
    return value if isinstance(value, list) else [value]


def _read(path: Path) -> Iterator[Existing]:
    for number, entry in enumerate(entries_of(path), start=1):
        where = f"{path}, entry {number}"
        if not isinstance(entry, dict):
            raise _unknown(where, "it is no object")
        yield _existing({k: v for k, v in entry.items() if v is not None}, where, path.parent)


def _parsed(path: Path) -> Any:  # noqa: ANN401 - whatever stands in the file
    try:
        content = path.read_bytes()
        text = content.decode(json.detect_encoding(content))  # PowerShell's `>` writes UTF-16
        value = json.loads(text) if path.suffix.lower() == ".json" else _yaml(text, path)
        return _plain(value)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            "What exists beforehand cannot be read.",
            where=str(path),
            cause=getattr(error, "strerror", None) or str(error) or type(error).__name__,
            remedy="Correct the file: JSON, or YAML where its name ends in .yaml.",
        ) from error


def _yaml(text: str, path: Path) -> Any:  # noqa: ANN401 - whatever stands in the file
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            "YAML cannot be read without PyYAML.",
            where=str(path),
            remedy="Install PyYAML, or write the file as JSON.",
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _plain(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Return a value as JSON has it: YAML has dates of its own, and keys of any type."""
    if depth > PATIENT_DEPTH:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _unknown(where: str, cause: str) -> UsageError:
    return UsageError(
        "An entry is of no type that is known.", where=where, cause=cause, remedy=REMEDY
    )


def _existing(entry: Document, where: str, folder: Path) -> Existing:
    url = str(entry.get("url") or "")
    named = url if url.startswith("https://") else str(entry.get("id") or url or id_of(entry))
    if named.startswith("/"):
        return _resource(entry, named, where)
    if named.startswith("https://"):
        return _data(entry, named, where, folder)
    if GUID.fullmatch(named) and "tenantId" in entry and {"isDefault", "state"} & entry.keys():
        return _subscription(entry, named, where)
    collection = _collection(entry, where)
    key = str(entry.get("id") or entry.get("appId") or entry.get("userPrincipalName") or "")
    key = key or str(entry.get("displayName") or where)
    document = dict(entry)
    return Existing(
        key=f"{collection}/{key.lower()}",
        where=where,
        put=lambda mock: mock.graph.add(collection, document),
    )


def _collection(entry: Document, where: str) -> str:
    odata = str(entry.get("@odata.type") or "")
    if odata:
        if odata.lower() not in GRAPH_TYPES:
            raise _unknown(where, f"its @odata.type is {odata}")
        return GRAPH_TYPES[odata.lower()]
    for mark, collection in GRAPH_MARKS:
        if mark in entry:
            return collection
    kind = entry.get("type")
    told = f"its type is {kind!r}, and it has no id" if kind else "it has no id of Azure's"
    raise _unknown(where, told)


def _subscription(entry: Document, subscription: str, where: str) -> Existing:
    name, tenant = str(entry.get("name") or ""), str(entry["tenantId"]).lower()

    def put(mock: MockAzure) -> None:
        manager = mock.resource_manager
        manager.add_subscription(subscription, name=name, tenant_id=tenant)

    return Existing(key=f"/subscriptions/{subscription.lower()}", where=where, put=put, order=-1)


def _resource(entry: Document, resource_id: str, where: str) -> Existing:
    try:
        place = parse_segments(split_path(resource_id))
    except ValueError as error:
        raise _unknown(where, f"{resource_id} is no id") from error
    if place.is_subscription:
        tenant = str(entry.get("tenantId") or "")
        return _subscription({**entry, "tenantId": tenant}, place.name, where)
    _check_type(entry, place, where)
    body = _unflattened(entry)
    return Existing(
        key=place.key,
        where=where,
        put=lambda mock: mock.resource_manager.add(
            place.id, letting_in(mock, body) if place.type_key == VAULT else body
        ),
        order=len(place.segments),
    )


def _check_type(entry: Document, place: Place, where: str) -> None:
    if place.is_tenant or place.words or not place.pairs:
        raise _unknown(where, f"{place.id or '/'} is no resource's id")
    told = str(entry.get("type") or "").removeprefix("/providers/")  # of a management group
    if told and told.lower() != place.type_key:
        raise _unknown(where, f"its type is {told}, and by its id {place.kind}")
    namespace = place.namespace.lower()
    known = {n.lower() for n in NAMESPACES} | MORE_NAMESPACES
    is_foreign = NAMESPACE.fullmatch(namespace) and not namespace.startswith("microsoft.")
    if not place.is_group and namespace not in known and not is_foreign:
        raise _unknown(where, f"there is no resource provider {place.namespace} ({place.kind})")


def _unflattened(entry: Mapping[str, Any]) -> Document:
    """Return a resource with `properties`, as Resource Manager has it, at every depth."""
    kept = {k: v for k, v in entry.items() if k not in OF_THE_CLI and v is not None}
    if "properties" not in kept:
        rest = {k: v for k, v in kept.items() if k not in BESIDE}
        kept = {k: v for k, v in kept.items() if k in BESIDE}
        if rest:
            kept["properties"] = rest
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {k: _inner(v) for k, v in kept["properties"].items() if v is not None}
    return kept


def _inner(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_inner(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_child = str(value.get("id") or "").startswith("/") and "name" in value
    if is_child:
        return _unflattened(value)
    return {k: _inner(v) for k, v in value.items() if k not in OF_THE_CLI and v is not None}


def _data(entry: Document, url: str, where: str, folder: Path) -> Existing:
    """Return what is in a key vault, a blob, or an entry of Graph's or Azure DevOps'."""
    parts = urlsplit(url)
    host, segments = parts.hostname or "", [s for s in parts.path.split("/") if s]
    if ".vault." in host and segments[:1] and segments[0] in KINDS and len(segments) > 1:
        return _of_a_vault(entry, host, segments, where)
    if ".blob." in host and len(segments) > 1:
        content = _content(entry, where, folder)
        target = "/" + quote("/".join(segments))
        kind = str(entry.get("contentType") or "application/octet-stream")
        headers = {"x-ms-blob-type": "BlockBlob", "content-type": kind}
        return Existing(
            key=f"https://{host}{target}",
            where=where,
            put=lambda mock: mock.put_there(f"https://{host}{target}", content, headers),
            order=DATA,
        )
    if host.startswith(("graph.", "microsoftgraph.")) and len(segments) > 2:  # noqa: PLR2004 - v1.0
        return _of_graph(entry, tuple(segments[1:]), where)
    if (host == DEVOPS_HOST or organization_of(host)) and "_apis" in segments:
        return _of_devops(entry, url, where)
    raise _unknown(where, f"{host} is neither in a key vault nor a blob")


def _of_devops(entry: Document, url: str, where: str) -> Existing:
    """Return a project, a repository, a pool, …: what a POST to its list in Azure DevOps makes."""
    own_id = str(entry.get("id") or "").lower()
    collection, _, last = url.rstrip("/").rpartition("/")
    if own_id and last.lower() == own_id:  # as it is shown and listed, under a URL of its own
        url = collection
    body = {k: v for k, v in entry.items() if k != "url"}
    name = next((str(body[n]) for n in ("name", "displayName", "principalName") if n in body), "")
    headers = {"content-type": "application/json"}
    content = json.dumps(body).encode()
    order = len(urlsplit(url).path.split("/"))
    if url.rstrip("/").endswith("/_apis/projects"):
        order = 0
    return Existing(
        key=f"{url.lower()}#{name.lower() or where}",
        where=where,
        put=lambda mock: mock.put_there(url, content, headers, method="POST"),
        order=order,
    )


def _of_graph(entry: Document, segments: tuple[str, ...], where: str) -> Existing:
    """Return a named location, a catalog, …: an entry of a collection beyond directory objects."""
    from pytest_tfoidc.mockazure.graph.collections import find  # noqa: PLC0415 - late

    place = find(segments)
    if place is None or len(place.rest) != 1:
        raise _unknown(where, f"Graph has no {'/'.join(segments)}")
    document = {**{k: v for k, v in entry.items() if k != "url"}, "id": place.rest[0]}
    return Existing(
        key=f"graph/{'/'.join(segments).lower()}",
        where=where,
        put=lambda mock: mock.graph.add_entry(place.path, place.owner, document),
    )


def _of_a_vault(entry: Document, host: str, segments: Sequence[str], where: str) -> Existing:
    """Return a secret, a key or a certificate of a key vault."""
    kind, name = segments[:2]
    try:
        wanted = request_for(entry, host, kind, name)
    except UsageError as error:
        raise _unknown(where, error.what) from error
    content = json.dumps(wanted.body).encode()
    headers = {"content-type": "application/json"}
    return Existing(
        key=f"https://{host}/{kind}/{name}".lower(),
        where=where,
        put=lambda mock: mock.put_there(wanted.url, content, headers, method=wanted.method),
        order=DATA,
    )


def _content(entry: Document, where: str, folder: Path) -> bytes:
    """Return a blob's content: a text, any JSON, or a file beside the list."""
    if "file" in entry:
        try:
            return (folder / str(entry["file"])).read_bytes()
        except OSError as error:
            raise UsageError(
                "A blob's file cannot be read.",
                where=f"{where}: {entry['file']}",
                cause=error.strerror or str(error),
            ) from error
    if "content" not in entry:
        raise _unknown(where, "a blob has its `content`, or a `file`")
    content = entry["content"]
    return content.encode() if isinstance(content, str) else json.dumps(content).encode()
