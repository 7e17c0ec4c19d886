"""Queues of storage accounts: messages that come back until somebody has deleted them.

Source: https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage import wire
from pytest_tfoidc.mockazure.storage.call import http_date, metadata_headers
from pytest_tfoidc.mockazure.storage.errors import StorageError, document, element
from pytest_tfoidc.mockazure.storage.wire import XML, StorageCall, refused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.storage.auth import Authenticator

NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
MAX_MESSAGE = 64 * 1024  # bytes
WEEK = 7 * 24 * 3600  # seconds
FOREVER = datetime.max.replace(microsecond=0, tzinfo=timezone.utc)
MOST_AT_ONCE = 32
VISIBLE_AFTER = 30  # seconds


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message. `visible_at`: when the next reader gets it."""

    id: str
    text: str = field(repr=False)
    inserted: datetime
    expires: datetime | None
    visible_at: datetime
    receipt: str
    count: int = 0

    def alive(self, now: datetime) -> bool:
        """Tell whether its time to live has not passed."""
        return self.expires is None or self.expires > now


@dataclass(kw_only=True)
class Queue:
    """A queue, its messages in the order of insertion."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    policies: str = ""
    messages: tuple[Message, ...] = ()

    def settle(self, now: datetime) -> None:
        """Drop the messages whose time to live has passed."""
        if any(not m.alive(now) for m in self.messages):
            self.messages = tuple(m for m in self.messages if m.alive(now))

    def put(self, message: Message) -> None:
        """Put a message in the place of the one with its id."""
        self.messages = tuple(message if m.id == message.id else m for m in self.messages)


Queues = dict[tuple[str, str], Queue]  # by account and name


class QueueService:
    """The queue service of every storage account.

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
        self.queues: Queues = {}

    def handle(self, request: Request) -> Response:
        """Answer a request; what is not known is a 4xx."""
        now = self._clock.now()
        common = wire.common_headers(request, now, server="Queue")
        try:
            answer = self._answer(request, now)
        except StorageError as error:
            time = f"{now:%Y-%m-%dT%H:%M:%S.%f}0Z"
            body = error.xml(request_id=common["x-ms-request-id"], time=time)
            headers = {"x-ms-error-code": error.code, **XML, **error.headers}
            answer = Response(error.status, b"" if request.method == "HEAD" else body, headers)
        return Response(answer.status, answer.body, {**answer.headers, **common})

    def _answer(self, request: Request, now: datetime) -> Response:
        resource, query = wire.located(request)
        if query.get("restype") == "service":
            return self._properties(request)
        grant = self._authenticator.grant(request, resource)
        call = StorageCall(
            request=request,
            account=resource.account,
            path=f"{resource.container}/{resource.blob}".strip("/"),
            query=query,
            grant=grant,
            now=now,
            comp=query.get("comp", "").lower(),
        )
        run, level, needed = self._route(call)
        grant.check(level=level, needed=needed)
        return run(call)

    def _route(self, call: StorageCall) -> tuple[Callable[[StorageCall], Response], str, str]:
        segments = call.path.split("/") if call.path else []
        method = call.request.method
        if not segments:
            if (method, call.comp) == ("GET", "list"):
                return self._list, "s", "l"
            raise wire.bad_parameter("InvalidQueryParameterValue", "comp", call.comp)
        if len(segments) == 1:
            routes = {
                ("PUT", ""): (self._create, "c", "cw"),
                ("DELETE", ""): (self._delete, "c", "d"),
                ("GET", "metadata"): (self._get_metadata, "c", "r"),
                ("HEAD", "metadata"): (self._get_metadata, "c", "r"),
                ("PUT", "metadata"): (self._set_metadata, "c", "w"),
                ("GET", "acl"): (self._get_acl, "c", "r"),
                ("HEAD", "acl"): (self._get_acl, "c", "r"),
                ("PUT", "acl"): (self._set_acl, "c", "w"),
            }
        elif segments[1].lower() == "messages" and len(segments) == 2:  # noqa: PLR2004 - queue/messages
            peeks = call.query.get("peekonly", "").lower() == "true"
            routes = {
                ("POST", ""): (self._send, "o", "a"),
                ("GET", ""): (self._peek, "o", "r") if peeks else (self._receive, "o", "p"),
                ("DELETE", ""): (self._clear, "o", "d"),
            }
        elif segments[1].lower() == "messages" and len(segments) == 3:  # noqa: PLR2004 - queue/messages/id
            routes = {
                ("DELETE", ""): (self._remove, "o", "p"),
                ("PUT", ""): (self._update, "o", "u"),
            }
        else:
            raise StorageError("InvalidUri")
        if (method, call.comp) not in routes:
            raise StorageError("UnsupportedHttpVerb")
        return routes[method, call.comp]

    def _name(self, call: StorageCall) -> str:
        name = call.path.partition("/")[0]
        if not NAME.fullmatch(name):
            raise StorageError("InvalidResourceName")
        return name

    def keep(self, account: str, name: str) -> None:
        """Let a queue be there that Resource Manager has."""
        self.queues.setdefault((account, name), Queue())

    def drop(self, account: str, name: str) -> None:
        """Let a queue be gone that Resource Manager has no more."""
        self.queues.pop((account, name), None)

    def _queue(self, call: StorageCall) -> Queue:
        queue = self.queues.get((call.account, self._name(call)))
        if queue is None:
            raise refused("QueueNotFound", 404, "The specified queue does not exist.")
        queue.settle(call.now)
        return queue

    def _list(self, call: StorageCall) -> Response:
        with_metadata = "metadata" in call.query.get("include", "").lower()
        found = [
            (name, _queue_xml(name, queue, with_metadata=with_metadata))
            for (account, name), queue in self.queues.items()
            if account == call.account
        ]
        place = f" ServiceEndpoint={quoteattr(f'https://{call.request.host}/')}"
        return Response(200, wire.listing(call, tag="Queues", found=found, attributes=place), XML)

    def _create(self, call: StorageCall) -> Response:
        key, metadata = (call.account, self._name(call)), call.metadata()
        before = self.queues.get(key)
        if before is None:
            self.queues[key] = Queue(metadata=metadata)
            return Response(201)
        if dict(before.metadata) == metadata:
            return Response(204)
        raise refused("QueueAlreadyExists", 409, "The specified queue already exists.")

    def _delete(self, call: StorageCall) -> Response:
        self._queue(call)
        del self.queues[call.account, self._name(call)]
        return Response(204)

    def _get_metadata(self, call: StorageCall) -> Response:
        queue = self._queue(call)
        count = {"x-ms-approximate-messages-count": str(len(queue.messages))}
        return Response(200, b"", {**metadata_headers(queue.metadata), **count})

    def _set_metadata(self, call: StorageCall) -> Response:
        self._queue(call).metadata = call.metadata()
        return Response(204)

    def _get_acl(self, call: StorageCall) -> Response:
        return Response(200, document("SignedIdentifiers", self._queue(call).policies), XML)

    def _set_acl(self, call: StorageCall) -> Response:
        queue = self._queue(call)
        queue.policies = policies_of(call)
        return Response(204)

    def _send(self, call: StorageCall) -> Response:
        queue = self._queue(call)
        text = _text(call)
        lives = call.number("messagettl", WEEK, least=-1, most=2**31 - 1)
        hidden = call.number("visibilitytimeout", 0, least=0, most=WEEK)
        if lives == 0:
            raise wire.bad_parameter("OutOfRangeQueryParameterValue", "messagettl", "0")
        message = Message(
            id=str(uuid.uuid4()),
            text=text,
            inserted=call.now,
            expires=None if lives < 0 else call.now + timedelta(seconds=lives),
            visible_at=call.now + timedelta(seconds=hidden),
            receipt=_receipt(),
        )
        queue.messages = (*queue.messages, message)
        shown = _message_xml(message, receipt=True)
        return Response(201, document("QueueMessagesList", shown), XML)

    def _visible(self, call: StorageCall) -> list[Message]:
        count = call.number("numofmessages", 1, least=1, most=MOST_AT_ONCE)
        found = [m for m in self._queue(call).messages if m.visible_at <= call.now]
        return found[:count]

    def _receive(self, call: StorageCall) -> Response:
        queue = self._queue(call)
        hidden = call.number("visibilitytimeout", VISIBLE_AFTER, least=1, most=WEEK)
        shown = ""
        for message in self._visible(call):
            taken = replace(
                message,
                visible_at=call.now + timedelta(seconds=hidden),
                receipt=_receipt(),
                count=message.count + 1,
            )
            queue.put(taken)
            shown += _message_xml(taken, receipt=True, text=True)
        return Response(200, document("QueueMessagesList", shown), XML)

    def _peek(self, call: StorageCall) -> Response:
        shown = "".join(_message_xml(m, text=True) for m in self._visible(call))
        return Response(200, document("QueueMessagesList", shown), XML)

    def _clear(self, call: StorageCall) -> Response:
        self._queue(call).messages = ()
        return Response(204)

    def _message(self, call: StorageCall) -> tuple[Queue, Message]:
        queue, wanted = self._queue(call), call.path.rpartition("/")[2].lower()
        message = next((m for m in queue.messages if m.id == wanted), None)
        if message is None:
            raise refused("MessageNotFound", 404, "The specified message does not exist.")
        receipt = call.query.get("popreceipt", "")
        if not receipt:
            raise StorageError("MissingRequiredQueryParameter", QueryParameterName="popreceipt")
        if receipt.replace(" ", "+") != message.receipt:
            words = (
                "The specified pop receipt did not match the pop receipt for a dequeued message."
            )
            raise refused("PopReceiptMismatch", 400, words)
        return queue, message

    def _remove(self, call: StorageCall) -> Response:
        queue, message = self._message(call)
        queue.messages = tuple(m for m in queue.messages if m.id != message.id)
        return Response(204)

    def _update(self, call: StorageCall) -> Response:
        queue, message = self._message(call)
        hidden = call.number("visibilitytimeout", 0, least=0, most=WEEK)
        changed = replace(
            message,
            text=_text(call) if call.request.body else message.text,
            visible_at=call.now + timedelta(seconds=hidden),
            receipt=_receipt(),
        )
        queue.put(changed)
        headers = {
            "x-ms-popreceipt": changed.receipt,
            "x-ms-time-next-visible": http_date(changed.visible_at),
        }
        return Response(204, b"", headers)

    def snapshot(self) -> Queues:
        """Return a copy of everything, for `restore`."""
        return {key: replace(queue) for key, queue in self.queues.items()}

    def restore(self, held: Queues) -> None:
        """Put back what `snapshot` returned."""
        self.queues = {key: replace(queue) for key, queue in held.items()}


def policies_of(call: StorageCall) -> str:
    """Return the stored access policies of a body, as they are given back."""
    if not call.request.body:
        return ""
    parts = []
    for identifier in call.xml().iter("SignedIdentifier"):
        policy = identifier.find("AccessPolicy")
        inside = "".join(
            element(child.tag, child.text or "")
            for child in (policy if policy is not None else ())
            if child.tag in {"Start", "Expiry", "Permission"}
        )
        name = element("Id", identifier.findtext("Id") or "")
        parts.append(
            f"<SignedIdentifier>{name}<AccessPolicy>{inside}</AccessPolicy></SignedIdentifier>"
        )
    return "".join(parts)


def _text(call: StorageCall) -> str:
    text = call.xml().findtext("MessageText")
    if text is None:
        raise StorageError("InvalidXmlDocument")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_MESSAGE:
        raise StorageError("RequestBodyTooLarge")
    return text


def _receipt() -> str:
    return base64.b64encode(uuid.uuid4().bytes).decode()


def _queue_xml(name: str, queue: Queue, *, with_metadata: bool) -> str:
    metadata = wire.metadata_xml(queue.metadata) if with_metadata else ""
    return f"<Queue>{element('Name', name)}{metadata}</Queue>"


def _message_xml(message: Message, *, receipt: bool = False, text: bool = False) -> str:
    expires = message.expires or FOREVER
    inside = element("MessageId", message.id)
    inside += element("InsertionTime", http_date(message.inserted))
    inside += element("ExpirationTime", http_date(expires))
    if receipt:
        inside += element("PopReceipt", message.receipt)
        inside += element("TimeNextVisible", http_date(message.visible_at))
    if text:
        inside += element("DequeueCount", str(message.count))
        inside += element("MessageText", message.text)
    return f"<QueueMessage>{inside}</QueueMessage>"
