"""Batches of the blob service: many blobs are deleted, or put into a tier, with one request.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-batch.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from urllib.parse import parse_qsl

from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.storage.errors import StorageError

Answer = Callable[[Request], Response]
MOST = 256
BOUNDARY = re.compile(r"multipart/mixed;\s*boundary=\"?([0-9A-Za-z'()+_,./:=?-]{1,70})\"?")
LINE = re.compile(r"(PUT|DELETE) (/\S*) HTTP/1\.1")


def is_batch(request: Request) -> bool:
    """Tell whether a request is a batch."""
    query = {n.lower(): v for n, v in parse_qsl(request.target.partition("?")[2])}
    return request.method == "POST" and query.get("comp", "").lower() == "batch"


def answer_batch(request: Request, answer: Answer) -> Response:
    """Answer every request of a batch by itself; each brings its own signature or token.

    Raises:
        StorageError: It is no batch.
    """
    outer = f"batchresponse_{uuid.uuid4()}"
    parts = [_told(name, answer(one), outer) for name, one in _requests_of(request)]
    body = b"".join(parts) + f"--{outer}--\r\n".encode()
    return Response(202, body, {"Content-Type": f"multipart/mixed; boundary={outer}"})


def _requests_of(request: Request) -> list[tuple[str, Request]]:
    kind = BOUNDARY.fullmatch(request.headers.get("content-type", ""))
    if kind is None:
        raise StorageError("InvalidInput", status=400, words="The body is no batch.")
    text = request.body.decode("utf-8", "replace").replace("\r\n", "\n")
    parts = text.split(f"--{kind[1]}")[1:-1]
    if not 1 <= len(parts) <= MOST:
        raise StorageError("InvalidInput", status=400, words=f"A batch has 1 to {MOST} requests.")
    return [_request_of(request, part.lstrip("\n")) for part in parts]


def _request_of(batch: Request, part: str) -> tuple[str, Request]:
    around, _, inside = part.partition("\n\n")
    first, _, rest = inside.partition("\n")
    line = LINE.fullmatch(first.strip())
    if line is None or not (line[1] == "DELETE" or "comp=tier" in line[2].lower()):
        words = "A batch deletes blobs or sets their tiers."
        raise StorageError("InvalidInput", status=400, words=words)
    headers = _headers(rest.partition("\n\n")[0])
    name = _headers(around).get("content-id", "")
    return name, Request(line[1], batch.scheme, batch.host, line[2], headers)


def _headers(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.split("\n") if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _told(name: str, answer: Response, boundary: str) -> bytes:
    head = [f"--{boundary}", "Content-Type: application/http"]
    if name.isdigit():
        head.append(f"Content-ID: {name}")
    lines = [f"{key}: {value}" for key, value in answer.headers.items()]
    lines.append(f"Content-Length: {len(answer.body)}")
    text = "\r\n".join([*head, "", f"HTTP/1.1 {answer.status} X", *lines, "", ""]).encode()
    return text + answer.body + b"\r\n"
