"""Our own requests trust the CA bundle of the context, and read it once."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path

import pytest

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.identity.http_client import NoAnswerError, Transport
from pytest_tfoidc.mockazure.certificates import CertificateAuthority
from pytest_tfoidc.mockazure.server import MockAzure

URL = "https://login.microsoftonline.com/common/.well-known/openid-configuration"


def bundle(path: Path, content: bytes, *, second: int) -> str:
    path.write_bytes(content)
    os.utime(path, (second, second))
    return str(path)


def test_a_bundle_is_trusted_read_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def noting(self: ssl.SSLContext, cafile: str | None = None, **options: str) -> None:
        read.append(cafile or options)
        load(self, cafile, **options)

    clock = VirtualClock()
    other = CertificateAuthority().certificate
    with MockAzure(clock=clock, events=EventLog(), environment={}) as mock:
        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noting)
        path = tmp_path / "ca.pem"
        asking = Transport(
            proxies={"https": mock.url}, ca_file=bundle(path, other, second=1), wait=lambda _: None
        )
        with pytest.raises(NoAnswerError, match=r"TLS failed \(SSLCertVerificationError\)"):
            asking.ask("GET", URL, headers={})
        bundle(path, mock.ca_file.read_bytes(), second=2)
        assert [asking.ask("GET", URL, headers={}).status for _ in range(3)] == [200] * 3
    assert read == [str(path)] * 2
    clock.reset()


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_a_bundle_goes_with_every_kind_of_proxy(kind: str) -> None:
    with MockAzure(clock=VirtualClock(), events=EventLog(), environment={}) as mock:
        proxies = {"https": mock.url.replace("http:", f"{kind}:")}
        asking = Transport(proxies=proxies, ca_file=str(mock.ca_file), total_seconds=0)
        outcome = None
        with contextlib.suppress(NoAnswerError):  # the stand-in is no SOCKS server, nor one for TLS
            outcome = asking.ask("GET", URL, headers={}).status
    assert (outcome == 200) == (kind == "http")
