"""Requests by way of one TLS context: reading a CA bundle takes longer than asking for a token.

The requests library reads the bundle again for every connection.
"""

# ruff: noqa: ANN401 - as requests has it

from __future__ import annotations

import functools
import ssl
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context


class BundleAdapter(HTTPAdapter):
    """Trusts a CA bundle, for hosts and for proxies.

    Args:
        ca_file: A PEM file, or a folder of them as OpenSSL has it.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, ca_file: str) -> None:
        self._context = _trusting(ca_file, Path(ca_file).stat().st_mtime_ns)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Let connections to hosts use the context."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Let connections through a proxy use the context, and those to it."""
        contexts = {"ssl_context": self._context}
        if str(proxy).lower().startswith("https:"):
            contexts["proxy_ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **contexts, **options)

    def build_connection_pool_key_attributes(
        self,
        request: Any,
        verify: Any,
        cert: Any = None,
    ) -> Any:
        """Leave all that is about TLS to the context."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Read no bundle: the context has."""
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"


@functools.lru_cache(maxsize=4)
def _trusting(ca_file: str, _changed: int) -> ssl.SSLContext:
    context = create_urllib3_context()
    context.load_verify_locations(**{"capath" if Path(ca_file).is_dir() else "cafile": ca_file})
    return context
