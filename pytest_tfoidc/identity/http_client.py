"""HTTP requests of our own: no redirects, bounded bodies, retries within a total time.

Nothing is taken from `os.environ`: the proxies and the CA bundle are the context's.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.identity.variables import LOOPBACK_HOSTS

if TYPE_CHECKING:
    import requests

    from pytest_tfoidc.identity.pipeline import PipelineContext

TOTAL_SECONDS = 60.0  # azurerm's own attempts end after 26 s; a pipeline's outage may be longer
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0
MAX_BODY = 1024 * 1024  # bytes: what go-azure-sdk reads at most
CHUNK = 64 * 1024
NOTABLE_SKEW = timedelta(seconds=60)  # Date has whole seconds, and answers take some

TOO_MANY_REQUESTS = 429
NO_STORAGE = "Tunnel connection failed: 507"  # http.client's words
SERVER_ERRORS = range(500, 600)
REDIRECTS = range(300, 400)

Wait = Callable[[float], object]


@dataclass(frozen=True)
class Answer:
    """A server's answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_html(self) -> bool:
        """Whether the body is a page for people."""
        kind = self.headers.get("content-type", "").lower()
        return "html" in kind or self.body.lstrip()[:5].lower() in {b"<!doc", b"<html"}

    @property
    def may_pass(self) -> bool:
        """Whether asking again may help: too many requests, or the server's own trouble."""
        return self.status == TOO_MANY_REQUESTS or self.status in SERVER_ERRORS

    def date(self) -> datetime | None:
        """Return the server's time (aware, UTC); None where it does not tell."""
        return _http_date(self.headers.get("date", ""))

    def retry_after(self) -> float | None:
        """Return the seconds that the server wants us to wait; None where it does not tell."""
        given = self.headers.get("retry-after", "").strip()
        if given.isascii() and given.isdigit():
            return float(given[:9])
        until, there = _http_date(given), self.date()
        return max(0.0, (until - there).total_seconds()) if until and there else None


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


class NoAnswerError(Exception):
    """No usable answer came. `may_pass`: asking again may help."""

    def __init__(self, reason: str, *, may_pass: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_pass = may_pass


class Transport:
    """Send requests; ask again on what may pass, within a total time.

    Args:
        proxies: By scheme, `all` and `no_proxy`.
        ca_file: A CA bundle; None means the one of `requests`.
        total_seconds: How long one `ask` may take, waits and all.
        wait: Waits for so many seconds.
    """

    def __init__(
        self,
        *,
        proxies: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        total_seconds: float = TOTAL_SECONDS,
        wait: Wait | None = None,
    ) -> None:
        self._proxies = dict(proxies or {})
        self._ca_file = ca_file
        self._total_seconds = total_seconds
        self._closed = threading.Event()
        self._wait = self._closed.wait if wait is None else wait  # closing ends a wait

    @classmethod
    def of(cls, context: PipelineContext, *, wait: Wait | None = None) -> Transport:
        """Make the transport of a context."""
        return cls(proxies=context.proxies, ca_file=context.ca_file, wait=wait)

    def close(self) -> None:
        """End a wait between two attempts; what asks then gives up."""
        self._closed.set()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        may_pass: Callable[[Answer], bool] = lambda answer: answer.may_pass,
    ) -> Answer:
        """Send a request, and again while the failure may pass and time remains.

        Raises:
            NoAnswerError: No answer came in the total time, or none that is usable.
        """
        spent, attempt = 0.0, 0
        while True:
            started = real_seconds()
            outcome = self._try(method, url, headers, form)
            seconds = _pause(outcome, attempt)
            spent += max(0.0, real_seconds() - started) + seconds
            again = outcome.may_pass if isinstance(outcome, NoAnswerError) else may_pass(outcome)
            if not again or spent > self._total_seconds or self._closed.is_set():
                break
            self._wait(seconds)
            attempt += 1
        if isinstance(outcome, NoAnswerError):
            raise outcome
        return outcome

    def _try(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer | NoAnswerError:
        try:
            return self._send(method, url, headers, form)
        except NoAnswerError as error:
            return error

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        import requests  # noqa: PLC0415 - heavy; many runs never ask for anything

        with requests.Session() as session:
            session.trust_env = False  # also keeps ~/.netrc away from the Authorization header
            try:
                if self._ca_file:
                    from pytest_tfoidc.identity.tls_adapter import (  # noqa: PLC0415 - needs requests, which is heavy
                        BundleAdapter,
                    )

                    session.mount("https://", BundleAdapter(self._ca_file))
                response = session.request(
                    method,
                    url,
                    headers=dict(headers),
                    data=form,
                    proxies=_proxies_for(url, self._proxies),
                    timeout=(CONNECT_SECONDS, READ_SECONDS),
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    body = _read(response)
            except (requests.RequestException, OSError, ValueError) as error:
                raise _no_answer(error) from None  # its text may hold the URL's query
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, names, body)


def _read(response: requests.Response) -> bytes:
    """Read a body, its declared length and no more than `MAX_BODY`."""
    chunks, size = [], 0
    deadline = real_seconds() + READ_SECONDS
    for chunk in response.iter_content(CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            raise NoAnswerError(f"the answer is larger than {MAX_BODY} bytes", may_pass=False)
        if real_seconds() > deadline:
            raise NoAnswerError(f"the answer was not complete after {READ_SECONDS:.0f} s")
    return b"".join(chunks)


def _no_answer(error: Exception) -> NoAnswerError:
    """Say in our own words what went wrong: the library's hold the URL with its query."""
    import requests  # noqa: PLC0415 - as above

    detail = _detail(error)
    if isinstance(error, requests.exceptions.ProxyError) and NO_STORAGE in str(error):
        return NoAnswerError("the proxy's disk is full (507)", may_pass=False)
    kinds: tuple[tuple[type[Exception], str, bool], ...] = (
        (requests.exceptions.ProxyError, "the proxy did not let us through", True),
        (requests.exceptions.SSLError, "TLS failed", "SSLCertVerificationError" not in detail),
        (requests.exceptions.ConnectTimeout, "it did not accept a connection in time", True),
        (requests.exceptions.ReadTimeout, "it did not answer in time", True),
        (requests.exceptions.ChunkedEncodingError, "the answer broke off", True),
        (requests.exceptions.ContentDecodingError, "the answer could not be decoded", True),
        (requests.exceptions.ConnectionError, "the connection failed", True),
        (requests.RequestException, "the request could not be sent", False),
        (ValueError, "the request could not be sent", False),
        (OSError, "the CA bundle cannot be read", False),
    )
    return next(
        NoAnswerError(f"{reason}{detail}", may_pass=may_pass)
        for kind, reason, may_pass in kinds
        if isinstance(error, kind)
    )


def _detail(error: Exception) -> str:
    """Name the innermost cause by its type: refused, reset, name not known."""
    causes: list[BaseException] = [error]
    while (cause := _cause_of(causes[-1])) is not None and cause not in causes:
        causes.append(cause)
    return f" ({type(causes[-1]).__name__})"


def _cause_of(error: BaseException) -> BaseException | None:
    """Return what an error comes from; urllib3 hands some of them on as an argument."""
    held = next((one for one in error.args if isinstance(one, BaseException)), None)
    return error.__cause__ or error.__context__ or held


def _pause(outcome: Answer | NoAnswerError, attempt: int) -> float:
    """Return the seconds until the next attempt: the server's, or doubling with jitter."""
    given = outcome.retry_after() if isinstance(outcome, Answer) else None
    if given is not None:
        return given
    seconds: float = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**attempt)
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - spreads requests, hides nothing


def _proxies_for(url: str, proxies: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies for a URL: none for loopback and for what `no_proxy` names."""
    host = (urlsplit(url).hostname or "").lower()
    if host in LOOPBACK_HOSTS or _is_excepted(host, proxies.get("no_proxy", "")):
        return {}
    return {scheme: proxy for scheme, proxy in proxies.items() if scheme != "no_proxy"}


def _is_excepted(host: str, no_proxy: str) -> bool:
    names = (part.strip().lower().lstrip("*").lstrip(".") for part in no_proxy.split(","))
    if any(part.strip() == "*" for part in no_proxy.split(",")):
        return True
    return any(name and (host == name or host.endswith(f".{name}")) for name in names)


def skew_of(answer: Answer, now: datetime) -> timedelta:
    """Say how far the server's clock is before ours; zero where they agree or it does not tell."""
    there = answer.date()
    if there is None or abs(there - now) < NOTABLE_SKEW:
        return timedelta()
    return there - now
