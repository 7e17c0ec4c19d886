"""Tables of storage accounts: entities by partition key and row key, as JSON.

Source: https://learn.microsoft.com/rest/api/storageservices/table-service-rest-api.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.requests import ContentError, parse_object
from pytest_tfoidc.mockazure.storage import tablefilters, wire
from pytest_tfoidc.mockazure.storage.errors import StorageError, document
from pytest_tfoidc.mockazure.storage.queues import policies_of
from pytest_tfoidc.mockazure.storage.wire import XML, StorageCall, refused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.mockazure.storage.auth import Authenticator

Entity = dict[str, Any]
Verb = Callable[["TableCall"], Response]
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
KEYS = re.compile(r"PartitionKey='((?:[^']|'')*)',\s*RowKey='((?:[^']|'')*)'")
FORBIDDEN = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
SHOWN_TYPES = ("Edm.Int64", "Edm.DateTime", "Edm.Guid", "Edm.Binary")
PAGE = 1000
MOST_PROPERTIES = 255
MAX_KEY = 1024
MAX_ENTITY = 1024 * 1024  # bytes
MOST_CHANGES = 100  # of one transaction
ACCEPTED = {"MERGE": "PATCH"}
TYPE = "@odata.type"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An entity. `properties`: with their type annotations, as they were written."""

    partition: str
    row: str
    properties: Mapping[str, Any] = field(repr=False)
    changed: datetime

    @property
    def etag(self) -> str:
        """Its ETag, which is its time."""
        return f"W/\"datetime'{quote(self.timestamp, safe='')}'\""

    @property
    def timestamp(self) -> str:
        """When it was changed, with seven digits."""
        return f"{self.changed:%Y-%m-%dT%H:%M:%S.%f}0Z"

    def typed(self) -> dict[str, Any]:
        """Return its properties as filters compare them."""
        values = {n: self._typed(n, v) for n, v in self.properties.items() if not n.endswith(TYPE)}
        keys = {"PartitionKey": self.partition, "RowKey": self.row, "Timestamp": self.changed}
        return {**values, **keys}

    def _typed(self, name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
        kind = self.properties.get(f"{name}{TYPE}")
        if kind == "Edm.Int64" and isinstance(value, str):
            return int(value)
        if kind == "Edm.DateTime" and isinstance(value, str):
            return tablefilters.read_moment(value)
        return value.lower() if kind == "Edm.Guid" and isinstance(value, str) else value


@dataclass(kw_only=True)
class Table:
    """A table. Its name keeps the case in which it was made."""

    name: str
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    policies: str = ""


Tables = dict[tuple[str, str], Table]  # by account and name in lower case


@dataclass(frozen=True, kw_only=True)
class TableCall(StorageCall):
    """A call of the table service."""

    def body(self) -> Entity:
        """Return the body.

        Raises:
            StorageError: It is no JSON object, or too large.
        """
        if len(self.request.body) > MAX_ENTITY:
            raise StorageError("RequestBodyTooLarge")
        try:
            return parse_object(self.request.body)
        except ContentError as error:
            raise refused("InvalidInput", 400, "One of the request inputs is not valid.") from error

    @property
    def level(self) -> str:
        """How much metadata the answer has: no, minimal, full."""
        accepted = self.headers.get("accept", "").lower()
        for level in ("nometadata", "fullmetadata"):
            if level in accepted:
                return level.removesuffix("metadata")
        return "minimal"

    @property
    def wants_nothing(self) -> bool:
        """Whether the client wants no content in answer to what it writes."""
        return self.headers.get("prefer", "").lower() == "return-no-content"

    def json(
        self,
        value: object,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a JSON answer."""
        kind = {"no": "nometadata", "full": "fullmetadata"}.get(self.level, "minimalmetadata")
        content = {"Content-Type": f"application/json;odata={kind};charset=utf-8"}
        return Response(status, json.dumps(value).encode(), {**content, **(headers or {})})

    @property
    def base(self) -> str:
        """The account's address."""
        return f"https://{self.request.host}"


class TableService:
    """The table service of every storage account.

    Args:
        clock: Tells the virtual time.
        authenticator: Finds out what a request may do.
        properties: Answers for the service's own properties.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        authenticator: Authenticator,
        properties: Callable[[Request], Response],
    ) -> None:
        self._clock = clock
        self._authenticator = authenticator
        self._properties = properties
        self._last: datetime | None = None
        self.tables: Tables = {}

    def handle(self, request: Request) -> Response:
        """Answer a request; what is not known is a 4xx."""
        now = self._clock.now()
        common = wire.common_headers(request, now, server="Table")
        common["DataServiceVersion"] = "3.0;"
        try:
            answer = self._answer(request, now)
        except StorageError as error:
            answer = _refuse(error, common["x-ms-request-id"], now)
        return Response(answer.status, answer.body, {**answer.headers, **common})

    def _answer(self, request: Request, now: datetime) -> Response:
        resource, query = wire.located(request)
        if query.get("restype") == "service":
            return self._properties(request)
        grant = self._authenticator.grant(request, resource)
        call = TableCall(
            request=request,
            account=resource.account,
            path=f"{resource.container}/{resource.blob}".strip("/"),
            query=query,
            grant=grant,
            now=now,
            comp=query.get("comp", "").lower(),
        )
        if call.path.lower() == "$batch":
            return self._batch(call)
        return self._run(call)

    def _run(self, call: TableCall) -> Response:
        run, level, needed = self._route(call)
        call.grant.check(level=level, needed=needed)
        return run(call)

    def _route(self, call: TableCall) -> tuple[Verb, str, str]:
        method = ACCEPTED.get(call.request.method, call.request.method)
        name, bracket, keys = call.path.partition("(")
        routes: dict[str, tuple[Verb, str, str]]
        if name.lower() == "tables":
            routes = {
                "GET": (self._list_tables, "sc", "l"),
                "POST": (self._create_table, "c", "cw"),
                "DELETE": (self._delete_table, "c", "d"),
            }
            if bracket and method == "GET":
                routes["GET"] = (self._get_table, "c", "lr")
        elif call.comp == "acl":
            routes = {"GET": (self._get_acl, "c", "r"), "PUT": (self._set_acl, "c", "w")}
        elif keys.strip() not in {"", ")"}:
            routes = {
                "GET": (self._get, "o", "r"),
                "PUT": (self._replace, "o", "uaw"),
                "PATCH": (self._merge, "o", "uaw"),
                "DELETE": (self._delete, "o", "d"),
            }
        else:
            routes = {"GET": (self._query, "o", "r"), "POST": (self._insert, "o", "a")}
        if method not in routes:
            raise StorageError("UnsupportedHttpVerb")
        run, levels, needed = routes[method]
        granted = next((level for level in levels if level in call.grant.levels), levels[0])
        return run, granted, needed

    def keep(self, account: str, name: str) -> None:
        """Let a table be there that Resource Manager has."""
        self.tables.setdefault((account, name.lower()), Table(name=name))

    def drop(self, account: str, name: str) -> None:
        """Let a table be gone that Resource Manager has no more."""
        self.tables.pop((account, name.lower()), None)

    def _table(self, call: TableCall, name: str = "") -> Table:
        wanted = name or call.path.partition("(")[0]
        table = self.tables.get((call.account, wanted.lower()))
        if table is None:
            if not NAME.fullmatch(wanted):
                raise refused("InvalidResourceName", 400, "The specified resource name is invalid.")
            raise refused("TableNotFound", 404, "The table specified does not exist.")
        return table

    def _list_tables(self, call: TableCall) -> Response:
        holds = _filter(call)
        start = call.query.get("nexttablename", "")
        found = sorted(
            table.name
            for (account, key), table in self.tables.items()
            if account == call.account and key >= start.lower() and holds({"TableName": table.name})
        )
        top = call.number("$top", PAGE, least=0, most=PAGE)
        page, rest = found[:top], found[top:]
        more = {"x-ms-continuation-NextTableName": rest[0]} if rest else {}
        value = [_shown_table(call, name) for name in page]
        return call.json(_with_context(call, {"value": value}, "Tables"), headers=more)

    def _create_table(self, call: TableCall) -> Response:
        name = call.body().get("TableName")
        if not isinstance(name, str) or not NAME.fullmatch(name) or name.lower() == "tables":
            raise refused("InvalidResourceName", 400, "The specified resource name is invalid.")
        if (call.account, name.lower()) in self.tables:
            raise refused("TableAlreadyExists", 409, "The table specified already exists.")
        self.tables[call.account, name.lower()] = Table(name=name)
        headers = {"Location": f"{call.base}/Tables('{name}')"}
        if call.wants_nothing:
            return Response(204, b"", {**headers, "Preference-Applied": "return-no-content"})
        shown = _with_context(call, _shown_table(call, name), "Tables/@Element")
        return call.json(shown, status=201, headers=headers)

    def _named(self, call: TableCall) -> Table:
        return self._table(call, call.path.partition("('")[2].partition("'")[0] or "-")

    def _get_table(self, call: TableCall) -> Response:
        shown = _shown_table(call, self._named(call).name)
        return call.json(_with_context(call, shown, "Tables/@Element"))

    def _delete_table(self, call: TableCall) -> Response:
        table = self._named(call)
        del self.tables[call.account, table.name.lower()]
        return Response(204)

    def _get_acl(self, call: TableCall) -> Response:
        return Response(200, document("SignedIdentifiers", self._table(call).policies), XML)

    def _set_acl(self, call: TableCall) -> Response:
        table = self._table(call)
        table.policies = policies_of(call)
        return Response(204)

    def _keys(self, call: TableCall) -> tuple[str, str]:
        match = KEYS.fullmatch(call.path.partition("(")[2].removesuffix(")"))
        if match is None:
            raise _invalid()
        partition, row = (group.replace("''", "'") for group in match.groups())
        return partition, row

    def _row(self, call: TableCall) -> Row:
        row = self._table(call).rows.get(self._keys(call))
        if row is None:
            raise refused("ResourceNotFound", 404, "The specified resource does not exist.")
        return row

    def _get(self, call: TableCall) -> Response:
        row = self._row(call)
        shown = _with_context(call, _shown(call, row, _selected(call)), f"{_name(call)}/@Element")
        return call.json(shown, headers={"ETag": row.etag})

    def _query(self, call: TableCall) -> Response:
        table, holds, selected = self._table(call), _filter(call), _selected(call)
        start = call.query.get("nextpartitionkey", ""), call.query.get("nextrowkey", "")
        top = call.number("$top", PAGE, least=1, most=PAGE)
        found = [r for k, r in sorted(table.rows.items()) if k >= start and holds(r.typed())]
        page, rest = found[:top], found[top:]
        more = {}
        if rest:
            more["x-ms-continuation-NextPartitionKey"] = quote(rest[0].partition)
            more["x-ms-continuation-NextRowKey"] = quote(rest[0].row)
        value = [_shown(call, row, selected) for row in page]
        return call.json(_with_context(call, {"value": value}, table.name), headers=more)

    def _now(self, now: datetime) -> datetime:
        """Return the time of a change; no two have the same, since it is the ETag."""
        if self._last is not None and now <= self._last:
            now = self._last + datetime.resolution
        self._last = now
        return now

    def _insert(self, call: TableCall) -> Response:
        table, entity = self._table(call), call.body()
        key = _keys_of(entity)
        if key in table.rows:
            raise refused("EntityAlreadyExists", 409, "The specified entity already exists.")
        row = self._put(call, table, key, entity)
        headers = {"ETag": row.etag, "Location": f"{call.base}/{_at(table, row)}"}
        if call.wants_nothing:
            return Response(204, b"", {**headers, "Preference-Applied": "return-no-content"})
        shown = _with_context(call, _shown(call, row, set()), f"{table.name}/@Element")
        return call.json(shown, status=201, headers=headers)

    def _put(self, call: TableCall, table: Table, key: tuple[str, str], entity: Entity) -> Row:
        properties = _checked(entity)
        row = Row(partition=key[0], row=key[1], properties=properties, changed=self._now(call.now))
        table.rows[key] = row
        return row

    def _replace(self, call: TableCall) -> Response:
        return self._write(call, merges=False)

    def _merge(self, call: TableCall) -> Response:
        return self._write(call, merges=True)

    def _write(self, call: TableCall, *, merges: bool) -> Response:
        table, key, entity = self._table(call), self._keys(call), call.body()
        before = table.rows.get(key)
        self._check_match(call, before)
        for name, value in zip(("PartitionKey", "RowKey"), key, strict=True):
            if entity.get(name, value) != value:
                raise _invalid()
        _check_key(*key)
        if merges and before is not None:
            entity = {**before.properties, **entity}
        row = self._put(call, table, key, entity)
        return Response(204, b"", {"ETag": row.etag})

    @staticmethod
    def _check_match(call: TableCall, before: Row | None) -> None:
        wanted = call.headers.get("if-match", "")
        if not wanted:
            return
        if before is None:
            raise refused("ResourceNotFound", 404, "The specified resource does not exist.")
        if wanted not in {"*", before.etag}:
            words = "The update condition specified in the request was not satisfied."
            raise refused("UpdateConditionNotSatisfied", 412, words)

    def _delete(self, call: TableCall) -> Response:
        if not call.headers.get("if-match"):
            raise StorageError("MissingRequiredHeader", HeaderName="If-Match")
        row = self._row(call)
        self._check_match(call, row)
        del self._table(call).rows[row.partition, row.row]
        return Response(204)

    def _batch(self, call: TableCall) -> Response:
        """Do several changes, all of them or none."""
        held = self.snapshot()
        boundary = f"changesetresponse_{uuid.uuid4()}"
        parts: list[bytes] = []
        requests = _requests_of(call.request)
        for number, inner in enumerate(requests):
            try:
                answer = self._inner(call, inner)
            except StorageError as error:
                self.restore(held)
                failed = replace_message(error, f"{number}:{error.words}")
                parts = [_part(_refuse(failed, "", call.now), boundary)]
                break
            parts.append(_part(answer, boundary))
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        outer = f"batchresponse_{uuid.uuid4()}"
        head = f"--{outer}\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
        content = head + body + f"--{outer}--\r\n".encode()
        return Response(202, content, {"Content-Type": f"multipart/mixed; boundary={outer}"})

    def _inner(self, call: TableCall, inner: Request) -> Response:
        resource, query = wire.located(inner)
        path = f"{resource.container}/{resource.blob}".strip("/")
        if path.lower().startswith(("$batch", "tables")):
            raise _invalid()
        return self._run(replace(call, request=inner, path=path, query=query, comp=""))

    def snapshot(self) -> Tables:
        """Return a copy of everything, for `restore`."""
        return {k: replace(t, rows=dict(t.rows)) for k, t in self.tables.items()}

    def restore(self, held: Tables) -> None:
        """Put back what `snapshot` returned."""
        self.tables = {k: replace(t, rows=dict(t.rows)) for k, t in held.items()}


def _invalid() -> StorageError:
    return refused("InvalidInput", 400, "One of the request inputs is not valid.")


def _refuse(error: StorageError, request_id: str, now: datetime) -> Response:
    words = f"{error.words}\nRequestId:{request_id}\nTime:{now:%Y-%m-%dT%H:%M:%S.%f}0Z"
    message = {"lang": "en-US", "value": words}
    body = json.dumps({"odata.error": {"code": error.code, "message": message}}).encode()
    kind = {"Content-Type": "application/json;odata=minimalmetadata;charset=utf-8"}
    headers = {"x-ms-error-code": error.code, **kind, **error.headers}
    return Response(error.status, body, headers)


def replace_message(error: StorageError, words: str) -> StorageError:
    """Return a refusal with other words: those of a transaction say which change it is about."""
    return StorageError(error.code, status=error.status, words=words)


def _filter(call: TableCall) -> tablefilters.Predicate:
    try:
        return tablefilters.parse(call.query.get("$filter", ""))
    except (tablefilters.FilterError, ValueError) as error:
        raise refused("InvalidInput", 400, f"The filter is not valid: {error}.") from error


def _selected(call: TableCall) -> set[str]:
    return {n.strip() for n in call.query.get("$select", "").split(",")} - {"", "*"}


def _name(call: TableCall) -> str:
    return call.path.partition("(")[0]


def _at(table: Table, row: Row) -> str:
    keys = ",".join(
        f"{name}='{quote(value.replace(chr(39), chr(39) * 2), safe='')}'"
        for name, value in (("PartitionKey", row.partition), ("RowKey", row.row))
    )
    return f"{table.name}({keys})"


def _shown_table(call: TableCall, name: str) -> Entity:
    if call.level != "full":
        return {"TableName": name}
    place = f"Tables('{name}')"
    kind = f"{call.account}.Tables"
    return {
        "odata.type": kind,
        "odata.id": f"{call.base}/{place}",
        "odata.editLink": place,
        "TableName": name,
    }


def _with_context(call: TableCall, shown: Entity, what: str) -> Entity:
    if call.level == "no":
        return shown
    return {"odata.metadata": f"{call.base}/$metadata#{what}", **shown}


def _shown(call: TableCall, row: Row, selected: set[str]) -> Entity:
    properties = dict(row.properties)
    full = {
        "PartitionKey": row.partition,
        "RowKey": row.row,
        "Timestamp": row.timestamp,
        **{n: v for n, v in properties.items() if not n.endswith(TYPE)},
    }
    names = [n for n in full if not selected or n in selected]
    shown: Entity = {} if call.level == "no" else {"odata.etag": row.etag}
    for name in names:
        kind = properties.get(f"{name}{TYPE}")
        if call.level == "full" and name == "Timestamp":
            kind = "Edm.DateTime"
        if call.level != "no" and kind in SHOWN_TYPES:
            shown[f"{name}{TYPE}"] = kind
        shown[name] = full[name]
    return shown


def _keys_of(entity: Entity) -> tuple[str, str]:
    keys = [entity.get(name) for name in ("PartitionKey", "RowKey")]
    if not all(isinstance(key, str) for key in keys):
        words = "The values are not specified for all properties in the entity."
        raise refused("PropertiesNeedValue", 400, words)
    partition, row = map(str, keys)
    _check_key(partition, row)
    return partition, row


def _check_key(*keys: str) -> None:
    for key in keys:
        if FORBIDDEN.search(key):
            words = "The key has a character that is not allowed: / \\ # ? or a control character."
            raise refused("OutOfRangeInput", 400, words)
        if len(key) > MAX_KEY:
            raise refused("KeyValueTooLarge", 400, "The key is larger than 1024 characters.")


def _checked(entity: Entity) -> Entity:
    """Return an entity's own properties, checked.

    Raises:
        StorageError: There are too many, or one has no type of the service.
    """
    own = {
        n: v
        for n, v in entity.items()
        if not n.startswith("odata.")
        and n.removesuffix(TYPE) not in {"PartitionKey", "RowKey", "Timestamp"}
    }
    if len(own) > 2 * MOST_PROPERTIES:
        raise refused("TooManyProperties", 400, "The entity has more properties than allowed.")
    own = {n: v for n, v in own.items() if v is not None}
    for name, value in own.items():
        if isinstance(value, (dict, list)):
            raise _invalid()
        kind = own.get(f"{name}{TYPE}")
        try:
            if kind == "Edm.Int64":
                int(value)
            elif kind == "Edm.DateTime":
                tablefilters.read_moment(str(value))
            elif kind == "Edm.Guid":
                uuid.UUID(str(value))
        except (ValueError, OverflowError) as error:
            raise _invalid() from error
    return own


def _requests_of(request: Request) -> list[Request]:
    """Return the requests of a transaction.

    Raises:
        StorageError: The body is none, or there are too many.
    """
    found = []
    try:
        text = request.body.decode()
    except UnicodeDecodeError as error:
        raise _invalid() from error
    for part in re.split(r"--(?:batch|changeset)_[0-9A-Za-z-]+(?:--)?\r?\n", text):
        match = re.search(
            r"^([A-Z]+) (\S+) HTTP/1\.1\r?\n((?:[^\r\n]+\r?\n)*)\r?\n?(.*)",
            part,
            re.DOTALL | re.MULTILINE,
        )
        if match is None:
            continue
        lines = (line.partition(":") for line in match[3].splitlines())
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        body = match[4].strip().encode()
        found.append(Request(match[1], "https", request.host, _path(match[2]), headers, body))
    if not 1 <= len(found) <= MOST_CHANGES:
        raise _invalid()
    return found


def _path(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2] if "://" in url else url


def _part(answer: Response, boundary: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in answer.headers.items()]
    head = [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    status = f"HTTP/1.1 {answer.status} X"
    text = "\r\n".join([*head, "", status, *lines, "", ""]).encode()
    return text + answer.body + b"\r\n"
