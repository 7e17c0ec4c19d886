"""One call of the blob service: what it is about, and what every operation asks of it."""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.storage import leases
from pytest_tfoidc.mockazure.storage.errors import StorageError
from pytest_tfoidc.mockazure.storage.store import Blob, BlobStore, Container, Stamp, md5

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.storage.auth import Grant

METADATA = "x-ms-meta-"
METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# what a header can hold: printable ASCII without spaces at its ends
PRINTABLE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
GUID = re.compile(r"\{?([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})\}?", re.IGNORECASE)
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
MAX_METADATA = 8 * 1024
MD5_BYTES = 16
MAX_XML_DEPTH = 10  # writing XML recurses


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request for one resource, with what its credential allows. `query` is decoded."""

    request: Request
    store: BlobStore
    grant: Grant
    account: str
    service: str
    container_name: str
    blob_name: str
    query: Mapping[str, str]
    now: datetime

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers."""
        return self.request.headers

    @property
    def container(self) -> Container:
        """The container, made at its first use."""
        return self.store.container(self.account, self.container_name)

    @property
    def lease_id(self) -> str:
        """The lease id that the request names, in lower case; empty where it names none."""
        return self.guid("x-ms-lease-id") if self.headers.get("x-ms-lease-id") else ""

    def required(self, name: str) -> str:
        """Return a header that must be there."""
        value = self.headers.get(name, "").strip()
        if not value:
            raise StorageError("MissingRequiredHeader", HeaderName=name)
        return value

    def guid(self, name: str) -> str:
        """Return a header that must be a GUID, in lower case."""
        match = GUID.fullmatch(self.required(name))
        if match is None:
            raise bad_header(name, self.headers[name])
        return match[1].lower()

    def number(self, name: str) -> int:
        """Return a header that must be a whole number."""
        text = self.required(name)
        if not WHOLE_NUMBER.fullmatch(text):
            raise bad_header(name, text)
        return int(text)

    def find(self) -> Blob | None:
        """Return the blob, or the snapshot that the query names; None where there is none."""
        snapshot = self.query.get("snapshot")
        if snapshot is not None:
            return self.container.snapshots.get((self.blob_name, snapshot))
        return self.container.blobs.get(self.blob_name)

    def to_read(self) -> Blob:
        """Return the blob for reading, after the request's conditions and lease id were checked."""
        blob = self.find()
        check_read_conditions(self.headers, blob.stamp if blob else None)
        if blob is None:
            raise StorageError("BlobNotFound")
        leases.check_read(blob.lease, lease_id=self.lease_id, now=self.now)
        return blob

    def to_change(self) -> Blob:
        """Return the blob for a change, once the request's conditions and lease id are checked."""
        blob = self.to_replace(exists="ConditionNotMet")
        if blob is None:
            raise StorageError("BlobNotFound")
        return blob

    def to_replace(self, *, exists: str = "BlobAlreadyExists") -> Blob | None:
        """Return what is there before it is written anew; None where there is nothing yet.

        Args:
            exists: The code for `If-None-Match: *` where there is something.
        """
        self.refuse_snapshot()
        blob = self.find()
        check_write_conditions(self.headers, blob.stamp if blob else None, exists=exists)
        lease = blob.lease if blob else leases.FREE
        if blob is not None or self.lease_id:
            leases.check_write(lease, lease_id=self.lease_id, now=self.now)
        return blob

    def refuse_snapshot(self) -> None:
        """Refuse to change a snapshot."""
        if "snapshot" in self.query:
            raise bad_query("snapshot", self.query["snapshot"], "Snapshots cannot be changed.")

    def metadata(self) -> dict[str, str]:
        """Return the metadata that the request carries. Names come in lower case.

        Raises:
            StorageError: A name is no identifier, a value is not ASCII, or it is over 8 KiB.
        """
        found = {n[len(METADATA) :]: v for n, v in self.headers.items() if n.startswith(METADATA)}
        for name, value in found.items():
            if not name:
                raise StorageError("EmptyMetadataKey")
            if not METADATA_NAME.fullmatch(name) or not PRINTABLE.fullmatch(value):
                raise StorageError("InvalidMetadata")
        if sum(len(name) + len(value) for name, value in found.items()) > MAX_METADATA:
            raise StorageError("MetadataTooLarge")
        return found

    def body(self) -> bytes:
        """Return the body, after its Content-MD5 was checked."""
        given = self.headers.get("content-md5", "")
        if given and _decoded_size(given) != MD5_BYTES:
            raise StorageError("InvalidMd5")
        actual = md5(self.request.body)
        if given and given != actual:
            raise StorageError("Md5Mismatch", UserSpecifiedMd5=given, ServerCalculatedMd5=actual)
        return self.request.body

    def xml(self) -> ET.Element:
        """Return the body's XML.

        Raises:
            StorageError: It is none, has declarations, or is nested too deeply.
        """
        if b"<!" in self.request.body:
            raise StorageError("InvalidXmlDocument")
        try:
            root = ET.fromstring(self.request.body)  # noqa: S314 - no declarations, see above
        except (ET.ParseError, LookupError, ValueError) as error:
            raise StorageError("InvalidXmlDocument") from error
        level = [root]
        for _ in range(MAX_XML_DEPTH):
            level = [child for parent in level for child in parent]
        if level:
            raise StorageError("InvalidXmlDocument")
        return root


def _decoded_size(text: str) -> int:
    try:
        return len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return 0


def bad_header(name: str, value: str) -> StorageError:
    """Say which header is no good."""
    return StorageError("InvalidHeaderValue", HeaderName=name, HeaderValue=value)


def bad_query(name: str, value: str, reason: str = "") -> StorageError:
    """Say which query parameter is no good."""
    return StorageError(
        "InvalidQueryParameterValue",
        QueryParameterName=name,
        QueryParameterValue=value,
        Reason=reason,
    )


def printable(name: str, value: str) -> str:
    """Return a text that becomes a header's value.

    Raises:
        StorageError: It has other characters than printable ASCII.
    """
    if not PRINTABLE.fullmatch(value):
        raise bad_header(name, value)
    return value


def http_date(moment: datetime) -> str:
    """Write a moment as HTTP does (RFC 9110)."""
    return format_datetime(moment, usegmt=True)


def stamp_headers(stamp: Stamp) -> dict[str, str]:
    """Return the headers that tell the version."""
    return {"ETag": stamp.etag, "Last-Modified": http_date(stamp.modified)}


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that tell the metadata."""
    return {f"{METADATA}{name}": value for name, value in metadata.items()}


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditional headers of a request (RFC 9110; the service takes one ETag in a write)."""

    match: frozenset[str]
    none_match: frozenset[str]
    modified_since: datetime | None
    unmodified_since: datetime | None

    @classmethod
    def of(cls, headers: Mapping[str, str], prefix: str = "") -> Conditions:
        """Read them; `prefix` is `x-ms-source-` for the source of a copy."""
        return cls(
            match=_etags(headers.get(f"{prefix}if-match", "")),
            none_match=_etags(headers.get(f"{prefix}if-none-match", "")),
            modified_since=_date(headers, f"{prefix}if-modified-since"),
            unmodified_since=_date(headers, f"{prefix}if-unmodified-since"),
        )

    def fails(self, stamp: Stamp) -> bool:
        """Tell whether any of them stands against the version."""
        return self.fails_if_match(stamp) or self.fails_if_none_match(stamp)

    def fails_if_match(self, stamp: Stamp) -> bool:
        """Tell whether If-Match or If-Unmodified-Since stands against the version."""
        etag, moment = stamp.etag.strip('"'), stamp.modified.replace(microsecond=0)
        if self.match and not self.match & {etag, "*"}:
            return True
        return self.unmodified_since is not None and moment > self.unmodified_since

    def fails_if_none_match(self, stamp: Stamp) -> bool:
        """Tell whether If-None-Match, or without it If-Modified-Since, stands against it."""
        etag, moment = stamp.etag.strip('"'), stamp.modified.replace(microsecond=0)
        if self.none_match:
            return bool(self.none_match & {etag, "*"})
        return self.modified_since is not None and moment <= self.modified_since


def _etags(text: str) -> frozenset[str]:
    etags = (part.strip().removeprefix("W/").strip('"') for part in text.split(","))
    return frozenset(etag for etag in etags if etag)


def _date(headers: Mapping[str, str], name: str) -> datetime | None:
    text = headers.get(name, "")
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise bad_header(name, text) from error


def check_read_conditions(headers: Mapping[str, str], stamp: Stamp | None) -> None:
    """Check a read's conditions: 412, or 304 where the client has this version already."""
    conditions = Conditions.of(headers)
    if "*" in conditions.none_match:
        raise StorageError("UnsatisfiableCondition")
    _check_match(conditions, stamp)
    if stamp is not None and conditions.fails_if_none_match(stamp):
        raise StorageError("ConditionNotMet", status=304)


def check_write_conditions(
    headers: Mapping[str, str], stamp: Stamp | None, *, exists: str = "ConditionNotMet"
) -> None:
    """Check a write's conditions. `exists`: the code for `If-None-Match: *`, a 409 or a 412."""
    conditions = Conditions.of(headers)
    if len(conditions.match) > 1 or len(conditions.none_match) > 1:
        raise StorageError("MultipleConditionHeadersNotSupported")
    _check_match(conditions, stamp)
    if stamp is not None and conditions.fails_if_none_match(stamp):
        raise StorageError(exists if "*" in conditions.none_match else "ConditionNotMet")


def _check_match(conditions: Conditions, stamp: Stamp | None) -> None:
    """Check If-Match and If-Unmodified-Since; an ETag matches nothing that is not there."""
    fails = bool(conditions.match) if stamp is None else conditions.fails_if_match(stamp)
    if fails:
        raise StorageError("ConditionNotMet")
