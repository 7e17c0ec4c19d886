"""Certificates of the stand-in: a CA whose key lives in memory only, a certificate for each host.

The public certificates that the outer environment trusts stay trusted, so registries can be
reached through the same proxy.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import trustme

from pytest_tfoidc.errors import UsageError

DESCRIPTORS = "/dev/fd"
GIT_BUNDLE = "GIT_SSL_CAINFO"
BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
USUAL_FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs")  # where Go looks
LINK = re.compile(r"[0-9a-f]{8}\.\d+")  # the names that OpenSSL gives to the same files
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
WHITE = b" \t\r\n"


class CertificateAuthority:
    """A CA for one run. Its certificates are valid from 2000 to 3000, so they survive jumps.

    Args:
        file: Holds the certificate from run to run, PEM, and a private `.key` beside it the key.
            They are made where they are not there yet. Without it, nothing is kept.

    Raises:
        UsageError: The files cannot be read or written.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._ca = _kept(file) if file is not None else _new()

    @property
    def certificate(self) -> bytes:
        """The CA's own certificate, PEM."""
        return self._ca.cert_pem.bytes()

    @functools.lru_cache(maxsize=1024)  # noqa: B019 - as long-lived as the run that it serves
    def context_for(self, host: str) -> ssl.SSLContext:
        """Return a TLS server's context with a certificate for the host."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        _load(context, self._ca.issue_cert(host))
        return context

    def bundle(self, environment: Mapping[str, str]) -> bytes:
        """Return this CA's certificate and those that the outer environment trusts, PEM."""
        return self.certificate + b"\n" + public_certificates(environment)


def _load(context: ssl.SSLContext, leaf: trustme.LeafCert) -> None:
    """Load a certificate and its key. OpenSSL reads files only; these are on no disk."""
    if not Path(DESCRIPTORS).is_dir():
        leaf.configure_cert(context)
        return
    with contextlib.ExitStack() as stack:
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        names = [_piped(part, stack) for part in (chain, leaf.private_key_pem.bytes())]
        context.load_cert_chain(*names)


def _piped(data: bytes, stack: contextlib.ExitStack) -> str:
    """Return the name of a pipe with some data in it: less than what any pipe holds."""
    read, write = os.pipe()
    stack.callback(os.close, read)
    with os.fdopen(write, "wb") as pipe:
        pipe.write(data)
    return f"{DESCRIPTORS}/{read}"


def _new() -> trustme.CA:
    return trustme.CA(organization_name="pytest-tfoidc stand-in for Azure")


def _kept(file: Path) -> trustme.CA:
    key = file.with_name(f"{file.name}.key")
    try:
        if file.exists() or key.exists():
            return trustme.CA.from_pem(file.read_bytes(), key.read_bytes())
        ca = _new()
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as private:
            private.write(ca.private_key_pem.bytes())
        file.write_bytes(ca.cert_pem.bytes())
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            "The stand-in's CA cannot be kept.",
            where=f"{file} and {key.name}",
            cause=str(error),
            remedy="Name files that can be written, or remove both for a new CA.",
        ) from error
    return ca


def public_certificates(environment: Mapping[str, str]) -> bytes:
    """Return the certificates that an environment trusts, PEM, each once.

    They are those of its own bundle or the usual one, of what it names for git alone, and of the
    folders that Go's programs read besides, one file for each.
    """
    named = [environment[name] for name in BUNDLE_VARIABLES if environment.get(name)]
    usual = ssl.get_default_verify_paths().cafile
    for_git = environment.get(GIT_BUNDLE, "")
    first = next((n for n in (*named, usual) if n and Path(n).is_file()), None) or _of_requests()
    wanted = dict.fromkeys(n for n in (first, for_git) if n and Path(n).is_file())
    texts = (*(Path(name).read_bytes() for name in wanted), *_in_folders(environment))
    found = (one for text in texts for one in CERTIFICATE.findall(text))
    return b"\n".join({one.translate(None, WHITE): one for one in found}.values())


def _in_folders(environment: Mapping[str, str]) -> Iterator[bytes]:
    named = [name for name in environment.get("SSL_CERT_DIR", "").split(os.pathsep) if name]
    for folder in named or USUAL_FOLDERS:
        files: list[Path] = []
        with contextlib.suppress(OSError):
            files += sorted(Path(folder).iterdir())
        for file in files:
            with contextlib.suppress(OSError):
                if LINK.fullmatch(file.name) is None and file.is_file():
                    yield file.read_bytes()


def _of_requests() -> str:
    import requests.utils  # noqa: PLC0415 - heavy; most machines have a bundle of their own

    return requests.utils.DEFAULT_CA_BUNDLE_PATH
