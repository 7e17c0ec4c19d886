"""Federated credentials: whose ID tokens an application or a managed identity trusts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE


@dataclass(frozen=True, kw_only=True)
class FederatedCredential:
    """Whose ID tokens an application or a managed identity trusts. All compare exactly."""

    issuer: str
    subject: str
    audiences: tuple[str, ...] = (DEFAULT_AUDIENCE,)
    name: str = ""

    @classmethod
    def parse(cls, name: str, document: Mapping[str, Any]) -> FederatedCredential:
        """Read a credential from what a client wrote; what is missing is empty."""
        audiences = document.get("audiences")
        return cls(
            name=name,
            issuer=str(document.get("issuer") or ""),
            subject=str(document.get("subject") or ""),
            audiences=tuple(str(a) for a in audiences) if isinstance(audiences, list) else (),
        )
