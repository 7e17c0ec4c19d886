"""The state objects of the azurerm backend, beside Terraform: when written, what in them, removed.

Signed in as the backend is: by SAS or key where its configuration has one, by Entra ID, or with a
key of the account that Resource Manager lists. Nothing here is needed for a test to pass, so what
cannot be had is left as it is.

Sources: https://learn.microsoft.com/rest/api/storageservices/delete-blob,
.../authorize-with-shared-key, https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.identity.http_client import Answer, NoAnswerError, Transport

if TYPE_CHECKING:
    from pytest_tfoidc.identity.credential import RefreshingCredential
    from pytest_tfoidc.identity.pipeline import PipelineContext

VERSION = "2023-11-03"
ARM_VERSION = "2023-01-01"
TOTAL_SECONDS = 10.0  # a tidy account is worth no more
SUFFIXES = {
    "public": "core.windows.net",
    "usgovernment": "core.usgovcloudapi.net",
    "china": "core.chinacloudapi.cn",
}
MANAGEMENT = {
    "public": "https://management.azure.com",
    "usgovernment": "https://management.usgovcloudapi.net",
    "china": "https://management.chinacloudapi.cn",
}
STORAGE_SCOPE = "https://storage.azure.com/.default"
OK, ACCEPTED, REFUSED = 200, 202, (401, 403)
EMPTY_HEADERS = "\n" * 11  # what a request without a body leaves empty in the text that is signed


class StateBlobs:
    """Gets at the state objects.

    Args:
        credential: Signs in.
        context: The cloud, the subscription, the proxies.
    """

    def __init__(self, credential: RefreshingCredential, *, context: PipelineContext) -> None:
        self._credential = credential
        self._context = context
        self._transport = Transport(
            proxies=context.proxies, ca_file=context.ca_file, total_seconds=TOTAL_SECONDS
        )

    def last_written(self, config: Mapping[str, Any]) -> str:
        """Return when a state was last written, as the service says it; empty if that fails."""
        answer = self._ask("HEAD", config)
        return answer.headers.get("last-modified", "") if answer else ""

    def read(self, config: Mapping[str, Any]) -> str | None:
        """Return a state's text; None if there is none, or it cannot be had."""
        answer = self._ask("GET", config)
        if answer is None or answer.status != OK:
            return None
        return answer.body.decode("utf-8", "replace")

    def remove(self, config: Mapping[str, Any]) -> bool:
        """Remove a state; return whether it is gone."""
        answer = self._ask("DELETE", config)
        return answer is not None and answer.status == ACCEPTED

    def _ask(self, method: str, config: Mapping[str, Any]) -> Answer | None:
        """Ask in each way of signing in, until one is not refused."""
        answer = None
        with contextlib.suppress(NoAnswerError, TfOidcError, KeyError, TypeError, ValueError):
            path = "/".join(quote(str(config[n])) for n in ("container_name", "key"))
            account = str(config["storage_account_name"])
            url = f"https://{account}.blob.{SUFFIXES[self._context.cloud]}/{path}"
            for query, headers in self._ways(method, account, f"/{account}/{path}", config):
                answer = self._transport.ask(method, url + query, headers=headers)
                if answer.status not in REFUSED:
                    break
        return answer

    def _ways(
        self, method: str, account: str, resource: str, config: Mapping[str, Any]
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        headers = {"x-ms-version": VERSION, "x-ms-date": formatdate(usegmt=True)}
        if config.get("sas_token"):
            yield "?" + str(config["sas_token"]).lstrip("?"), headers
        elif config.get("access_key"):
            yield "", _signed(method, account, resource, str(config["access_key"]), headers)
        else:
            token = self._credential.get_token(STORAGE_SCOPE).token
            yield "", {**headers, "Authorization": f"Bearer {token}"}
            for key in self._listed_keys(account, config):
                yield "", _signed(method, account, resource, key, headers)

    def _listed_keys(self, account: str, config: Mapping[str, Any]) -> list[str]:
        group = config.get("resource_group_name")
        subscription = config.get("subscription_id") or self._context.subscription_id
        if not group or not subscription:
            return []
        host = MANAGEMENT[self._context.cloud]
        token = self._credential.get_token(f"{host}/.default").token
        answer = self._transport.ask(
            "POST",
            f"{host}/subscriptions/{subscription}/resourceGroups/{quote(str(group))}/providers"
            f"/Microsoft.Storage/storageAccounts/{account}/listKeys?api-version={ARM_VERSION}",
            headers={"Authorization": f"Bearer {token}", "Content-Length": "0"},
        )
        keys = json.loads(answer.body).get("keys", []) if answer.status == OK else []
        return [str(key["value"]) for key in keys[:1]]


def _signed(
    method: str, account: str, resource: str, key: str, headers: Mapping[str, str]
) -> dict[str, str]:
    canonical = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    text = f"{method}\n{EMPTY_HEADERS}{canonical}{resource}"
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return {**headers, "Authorization": f"SharedKey {account}:{base64.b64encode(digest).decode()}"}
