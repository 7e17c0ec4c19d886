"""The verbs of containers and of the blob service as a whole."""

from __future__ import annotations

import base64
import binascii
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage import labels, leases
from pytest_tfoidc.mockazure.storage.blob_verbs import lease_action
from pytest_tfoidc.mockazure.storage.call import (
    Call,
    Conditions,
    bad_header,
    bad_query,
    http_date,
    metadata_headers,
    printable,
    stamp_headers,
)
from pytest_tfoidc.mockazure.storage.errors import NOT_XML, StorageError, document, element
from pytest_tfoidc.mockazure.storage.store import Blob, Container, check_container_name

PAGE = 5000
XML = {"Content-Type": "application/xml"}
LAST = "\U0010ffff"  # sorts after every snapshot's time: the blob comes after its snapshots
OFF = "<Enabled>false</Enabled>"
RETENTION = f"<RetentionPolicy>{OFF}</RetentionPolicy>"
SERVICE_PROPERTIES = {
    "Logging": (
        "<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read>"
        f"<Write>false</Write>{RETENTION}</Logging>"
    ),
    "HourMetrics": f"<HourMetrics><Version>1.0</Version>{OFF}{RETENTION}</HourMetrics>",
    "MinuteMetrics": f"<MinuteMetrics><Version>1.0</Version>{OFF}{RETENTION}</MinuteMetrics>",
    "Cors": "<Cors />",
    "DeleteRetentionPolicy": f"<DeleteRetentionPolicy>{OFF}</DeleteRetentionPolicy>",
    "StaticWebsite": f"<StaticWebsite>{OFF}</StaticWebsite>",
}
DEFAULT_SCOPE, ACCOUNTS_KEY = "x-ms-default-encryption-scope", "$account-encryption-key"
PROPERTIES_OF_BLOBS = {"DeleteRetentionPolicy", "StaticWebsite"}
OTHER_PROPERTIES = {"DefaultServiceVersion", "ProtocolSettings"}


def create_container(call: Call) -> Response:
    """Create Container."""
    check_container_name(call.container_name)
    account = call.store.account(call.account)
    if call.container_name in account.containers:
        raise StorageError("ContainerAlreadyExists")
    scope = call.headers.get(DEFAULT_SCOPE, "")
    container = Container(
        stamp=call.store.stamp(),
        metadata=call.metadata(),
        public_access=_public_access(call),
        scope=printable(DEFAULT_SCOPE, scope) if scope not in {"", ACCOUNTS_KEY} else "",
    )
    account.containers[call.container_name] = container
    account.deleted.discard(call.container_name)
    return Response(201, b"", stamp_headers(container.stamp))


def _public_access(call: Call) -> str:
    access = call.headers.get("x-ms-blob-public-access", "").lower()
    if access not in {"", "blob", "container"}:
        raise bad_header("x-ms-blob-public-access", access)
    return access


def _existing(call: Call) -> Container:
    """Return a container that somebody made or used."""
    check_container_name(call.container_name)
    container = call.store.account(call.account).containers.get(call.container_name)
    if container is None:
        raise StorageError("ContainerNotFound")
    return container


def _to_read(call: Call) -> Container:
    container = _existing(call)
    leases.check_read(container.lease, lease_id=call.lease_id, now=call.now, kind="Container")
    return container


def get_container(call: Call) -> Response:
    """Get Container Properties, and Get Container Metadata."""
    container = _to_read(call)
    headers = {
        **stamp_headers(container.stamp),
        **metadata_headers(container.metadata),
        **container.lease.headers(call.now),
        DEFAULT_SCOPE: container.scope or ACCOUNTS_KEY,
        "x-ms-deny-encryption-scope-override": "false",
        "x-ms-has-immutability-policy": "false",
        "x-ms-has-legal-hold": "false",
        **_access_headers(container),
    }
    return Response(200, b"", headers)


def _access_headers(container: Container) -> dict[str, str]:
    access = container.public_access
    return {"x-ms-blob-public-access": access} if access else {}


def set_container_metadata(call: Call) -> Response:
    """Set Container Metadata."""
    container = _to_read(call)
    _check_conditions(call, container)
    container.metadata = call.metadata()
    container.stamp = call.store.stamp()
    return Response(200, b"", stamp_headers(container.stamp))


def _check_conditions(call: Call, container: Container) -> None:
    if Conditions.of(call.headers).fails(container.stamp):
        raise StorageError("ConditionNotMet")


def delete_container(call: Call) -> Response:
    """Delete Container, with everything in it."""
    container = _existing(call)
    _check_conditions(call, container)
    leases.check_write(container.lease, lease_id=call.lease_id, now=call.now, kind="Container")
    account = call.store.account(call.account)
    del account.containers[call.container_name]
    account.deleted.add(call.container_name)
    return Response(202)


def lease_container(call: Call) -> Response:
    """Lease Container."""
    container = _existing(call)
    _check_conditions(call, container)
    container.lease, status, headers = lease_action(call, container.lease)
    return Response(status, b"", {**stamp_headers(container.stamp), **headers})


def get_acl(call: Call) -> Response:
    """Get Container ACL."""
    container = _to_read(call)
    headers = {**stamp_headers(container.stamp), **_access_headers(container), **XML}
    return Response(200, document("SignedIdentifiers", container.policies), headers)


def set_acl(call: Call) -> Response:
    """Set Container ACL."""
    container = _to_read(call)
    _check_conditions(call, container)
    policies = _inner_xml(call.xml()) if call.body() else ""
    container.public_access = _public_access(call)
    container.policies = policies
    container.stamp = call.store.stamp()
    return Response(200, b"", stamp_headers(container.stamp))


def _inner_xml(root: ET.Element) -> str:
    return "".join(ET.tostring(child, encoding="unicode") for child in root)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a listing: `key` orders the lines, `xml` is the line."""

    key: tuple[str, str]
    xml: Callable[[], str]


def list_blobs(call: Call) -> Response:
    """List Blobs, flat or below a delimiter."""
    container = call.container
    delimiter = call.query.get("delimiter", "")
    page, following = _page(call, _blob_entries(call, container, delimiter))
    inside = _echo(call, "Prefix", "Marker", "MaxResults", "Delimiter")
    inside += f"<Blobs>{''.join(entry.xml() for entry in page)}</Blobs>"
    inside += element("NextMarker", following)
    return _listing(call, inside, f" ContainerName={quoteattr(call.container_name)}")


def _blob_entries(call: Call, container: Container, delimiter: str) -> Iterable[Entry]:
    prefix = call.query.get("prefix", "")
    include = _include(call)
    found = {(name, LAST): blob for name, blob in container.blobs.items()}
    if "snapshots" in include:
        found.update(container.snapshots)
    groups: set[str] = set()
    for (name, at), blob in found.items():
        if not name.startswith(prefix):
            continue
        rest = name[len(prefix) :]
        if delimiter and delimiter in rest:
            groups.add(prefix + rest.partition(delimiter)[0] + delimiter)
        else:
            yield Entry(key=(name, at), xml=_blob_xml(call, name, at, blob, include))
    for group in groups:
        text = f"<BlobPrefix>{_name('Name', group)}</BlobPrefix>"
        yield Entry(key=(group, ""), xml=text.__str__)


def _include(call: Call) -> set[str]:
    return {part.strip() for part in call.query.get("include", "").lower().split(",")}


def _blob_xml(call: Call, name: str, at: str, blob: Blob, include: set[str]) -> Callable[[], str]:
    def write() -> str:
        snapshot = element("Snapshot", at) if at != LAST else ""
        metadata = _metadata_xml(blob.metadata) if "metadata" in include else ""
        lease = blob.lease.headers(call.now) if at == LAST else {}
        properties = _blob_properties(blob) + _lease_xml(lease)
        properties = f"<Properties>{properties}</Properties>"
        shows_tags = "tags" in include and blob.tags
        tags = f"<Tags>{labels.tags_xml(blob.tags)}</Tags>" if shows_tags else ""
        return f"<Blob>{_name('Name', name)}{snapshot}{properties}{metadata}{tags}</Blob>"

    return write


def _blob_properties(blob: Blob) -> str:
    values = {
        "Creation-Time": http_date(blob.created),
        "Last-Modified": http_date(blob.stamp.modified),
        "Etag": blob.stamp.etag.strip('"'),
        "Content-Length": str(len(blob.content)),
        "Content-Type": "",
        "Content-Encoding": "",
        "Content-Language": "",
        "Content-CRC64": "",
        "Content-MD5": "",
        "Cache-Control": "",
        "Content-Disposition": "",
        **blob.properties,
        "BlobType": blob.kind,
        "AccessTier": blob.tier or "Hot",
        **({} if blob.tier else {"AccessTierInferred": "true"}),
        **({"EncryptionScope": blob.scope} if blob.scope else {}),
        **({"TagCount": str(len(blob.tags))} if blob.tags else {}),
        "ServerEncrypted": "true",
    }
    return "".join(element(name, value) for name, value in values.items())


def _lease_xml(headers: dict[str, str]) -> str:
    names = {
        "x-ms-lease-status": "LeaseStatus",
        "x-ms-lease-state": "LeaseState",
        "x-ms-lease-duration": "LeaseDuration",
    }
    return "".join(element(names[name], value) for name, value in headers.items())


def _metadata_xml(metadata: Mapping[str, str]) -> str:
    inside = "".join(element(name, value) for name, value in metadata.items())
    return f"<Metadata>{inside}</Metadata>"


def _name(tag: str, text: str) -> str:
    """Write a name; one that XML cannot hold is percent-encoded, as the service does."""
    if NOT_XML.search(text):
        return f'<{tag} Encoded="true">{quote(text)}</{tag}>'
    return element(tag, text)


def _page(call: Call, entries: Iterable[Entry]) -> tuple[list[Entry], str]:
    """Return the entries of the page that the query asks for, and the next page's marker."""
    limit = _limit(call)
    marker = call.query.get("marker", "")
    start = _unmark(marker) if marker else ("", "")
    rest = sorted((e for e in entries if e.key >= start), key=lambda entry: entry.key)
    return rest[:limit], _mark(rest[limit].key) if len(rest) > limit else ""


def _limit(call: Call) -> int:
    text = call.query.get("maxresults", str(PAGE))
    if not text.isascii() or not text.isdigit():
        raise bad_query("maxresults", text)
    if len(text) > len(str(PAGE)):
        return PAGE
    if int(text) == 0:
        raise StorageError("OutOfRangeQueryParameterValue", QueryParameterName="maxresults")
    return min(int(text), PAGE)


def _mark(key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode("\n".join(reversed(key)).encode()).decode()


def _unmark(marker: str) -> tuple[str, str]:
    try:
        at, _, name = base64.urlsafe_b64decode(marker).decode().partition("\n")
    except (binascii.Error, ValueError) as error:
        raise bad_query("marker", marker) from error
    return name, at


def _echo(call: Call, *names: str) -> str:
    given = {name: call.query.get(name.lower(), "") for name in names}
    return "".join(_name(name, value) for name, value in given.items() if value)


def _listing(call: Call, inside: str, attributes: str = "") -> Response:
    endpoint = quoteattr(f"{call.request.scheme}://{call.request.host}/")
    attributes = f" ServiceEndpoint={endpoint}{attributes}"
    return Response(200, document("EnumerationResults", inside, attributes), XML)


def list_containers(call: Call) -> Response:
    """List Containers."""
    prefix, include = call.query.get("prefix", ""), _include(call)
    containers = call.store.account(call.account).containers
    entries = [
        Entry(key=(name, ""), xml=_container_xml(call, name, container, include))
        for name, container in containers.items()
        if name.startswith(prefix)
    ]
    page, following = _page(call, entries)
    inside = _echo(call, "Prefix", "Marker", "MaxResults")
    inside += f"<Containers>{''.join(entry.xml() for entry in page)}</Containers>"
    return _listing(call, inside + element("NextMarker", following))


def _container_xml(
    call: Call, name: str, container: Container, include: set[str]
) -> Callable[[], str]:
    def write() -> str:
        values = {
            "Last-Modified": http_date(container.stamp.modified),
            "Etag": container.stamp.etag.strip('"'),
            "DefaultEncryptionScope": "$account-encryption-key",
            "DenyEncryptionScopeOverride": "false",
            "HasImmutabilityPolicy": "false",
            "HasLegalHold": "false",
        }
        if container.public_access:
            values["PublicAccess"] = container.public_access
        properties = "".join(element(tag, value) for tag, value in values.items())
        properties += _lease_xml(container.lease.headers(call.now))
        metadata = _metadata_xml(container.metadata) if "metadata" in include else ""
        properties = f"<Properties>{properties}</Properties>"
        return f"<Container>{_name('Name', name)}{properties}{metadata}</Container>"

    return write


def get_service_properties(call: Call) -> Response:
    """Get the properties of the blob service, or of another service of the account."""
    stored = call.store.account(call.account).service_properties.get(call.service, {})
    inside = {**_usual_properties(call), **stored}
    return Response(200, document("StorageServiceProperties", "".join(inside.values())), XML)


def set_service_properties(call: Call) -> Response:
    """Set a service's properties: those that the request does not name stay."""
    call.body()
    given = {child.tag: ET.tostring(child, encoding="unicode") for child in call.xml()}
    if given.keys() - _usual_properties(call).keys() - OTHER_PROPERTIES:
        raise StorageError("InvalidXmlDocument")
    account = call.store.account(call.account)
    account.service_properties.setdefault(call.service, {}).update(given)
    return Response(202)


def _usual_properties(call: Call) -> dict[str, str]:
    missing = PROPERTIES_OF_BLOBS if call.service != "blob" else set()
    return {tag: text for tag, text in SERVICE_PROPERTIES.items() if tag not in missing}


def get_account(_: Call) -> Response:
    """Get Account Information."""
    headers = {
        "x-ms-sku-name": "Standard_LRS",
        "x-ms-account-kind": "StorageV2",
        "x-ms-is-hns-enabled": "false",
    }
    return Response(200, b"", headers)
