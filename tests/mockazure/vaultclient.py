"""A client of the stand-in's vaults for tests: requests in, statuses and JSON out."""

# ruff: noqa: ANN401 - bodies are JSON, or bytes

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.keyvault.service import KeyVaults
from tests.mockazure.armclient import RG, TENANT, Answer, Arm

HOST = "kv-many.vault.azure.net"
AUDIENCE = "https://vault.azure.net"
ME = "object"  # as `Arm` has it
VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/kv-many"
ALL = {"secrets": ["all"], "keys": ["all"], "certificates": ["all"]}
POLICIES = [{"objectId": ME, "permissions": ALL}]


@dataclass
class Vaults:
    """The vaults of a Resource Manager that has one."""

    arm: Arm = field(default_factory=Arm)

    def __post_init__(self) -> None:
        self.service = KeyVaults(
            clock=self.arm.clock,
            access_tokens=self.arm.tokens,
            tenant_id=TENANT,
            estate=self.arm.manager,
        )
        self.arm.manager.on_purged(lambda _, name: self.service.forget(name))
        self.arm.manager.add(VAULT, {"properties": {"accessPolicies": POLICIES}})

    def __call__(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        audience: str = AUDIENCE,
    ) -> Answer:
        headers = {}
        if audience:
            headers = {"authorization": f"Bearer {self.arm.new_bearer(audience)}"}
        sign = "&" if "?" in target else "?"
        path = target if "api-version" in target else f"{target}{sign}api-version=7.6"
        content = body if isinstance(body, bytes) else b""
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
        return Answer(self.service.handle(Request(method, "https", HOST, path, headers, content)))
