"""One call of a vault: what it is about, and what every operation asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.keyvault import errors
from pytest_tfoidc.mockazure.requests import ContentError, ServiceCall, parse_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_tfoidc.mockazure.keyvault.access import Vault
    from pytest_tfoidc.mockazure.keyvault.store import Content, Deleted, Item, Version

MAX_TAGS = 15
MAX_TAG = 256
ATTRIBUTES = ("enabled", "nbf", "exp", "exportable")
LATEST = 2**53  # seconds; more is no time that anybody can read


@dataclass(frozen=True, kw_only=True)
class Call(ServiceCall):
    """A request to a vault. `name` and `version` are empty where it names none."""

    vault: Vault
    content: Content
    kind: str
    name: str = ""
    version: str = ""
    allow: Callable[[str, str], None] = field(repr=False)  # permission, name of the object

    @property
    def seconds(self) -> int:
        """The virtual time in seconds since 1970."""
        return int(self.now.timestamp())

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body, empty where there is none.

        Raises:
            VaultError: It is no JSON object.
        """
        if not self.request.body:
            return {}
        try:
            return parse_object(self.request.body)
        except ContentError as error:
            raise errors.bad_parameter(str(error)) from error

    def check(self, permission: str) -> None:
        """Check that the caller has a permission on what the request names."""
        self.allow(permission, self.name)

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return a text of the body.

        Raises:
            VaultError: It is missing, or something else.
        """
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise errors.bad_parameter(f"Property '{name}' is missing or is no string.")
        return value

    def block(self, name: str) -> dict[str, Any]:
        """Return a block of the body; empty where there is none."""
        return block_of(self.body, name)

    def tags(self) -> dict[str, str] | None:
        """Return the tags of the body; None where there are none."""
        tags = self.body.get("tags")
        if tags is None:
            return None
        if not isinstance(tags, dict) or not all(isinstance(v, str) for v in tags.values()):
            raise errors.bad_parameter("Property 'tags' must be an object of strings.")
        if len(tags) > MAX_TAGS or any(len(t) > MAX_TAG for pair in tags.items() for t in pair):
            raise errors.bad_parameter(f"At most {MAX_TAGS} tags of {MAX_TAG} characters each.")
        return tags

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the body that a client can set."""
        written = self.block("attributes")
        found = {n: written[n] for n in ATTRIBUTES if written.get(n) is not None}
        for name, value in found.items():
            is_time = name in {"nbf", "exp"}
            right = isinstance(value, int) if is_time else isinstance(value, bool)
            if not right or (is_time and not 0 <= value < LATEST):
                raise errors.bad_parameter(f"Property 'attributes.{name}' is invalid.")
        if found.get("nbf", 0) > found.get("exp", LATEST):
            raise errors.bad_parameter("Property 'exp' must not be before property 'nbf'.")
        return found

    def of(self, kind: str) -> Call:
        """Return the same call for another kind of objects."""
        return replace(self, kind=kind)

    def find(self) -> Item | None:
        """Return what the request names; None where there is none."""
        return self.content.items.get((self.kind, self.name.lower()))

    def existing(self) -> Item:
        """Return what the request names.

        Raises:
            VaultError: There is none, or no such version.
        """
        item = self.find()
        if item is None or item.version(self.version) is None:
            named = f"{self.name}/{self.version}" if self.version else self.name
            raise errors.not_found(self.kind, named)
        return item

    def existing_version(self) -> Version:
        """Return the version that the request names, or the current one."""
        version = self.existing().version(self.version)
        assert version is not None  # noqa: S101 - `existing` has checked it
        return version

    def deleted(self) -> Deleted:
        """Return the deleted object that the request names.

        Raises:
            VaultError: There is none.
        """
        found = self.content.deleted.get((self.kind, self.name.lower()))
        if found is None:
            raise errors.not_found(self.kind, self.name, deleted=True)
        return found

    def check_free(self) -> None:
        """Check that the name is not that of a deleted object.

        Raises:
            VaultError: It is.
        """
        if (self.kind, self.name.lower()) in self.content.deleted:
            raise errors.is_deleted(self.kind, self.name)

    def check_unmanaged(self, operation: str) -> None:
        """Check that the object does not belong to a certificate.

        Raises:
            VaultError: It does.
        """
        item = self.find()
        if item is not None and item.versions and item.latest.managed:
            raise errors.is_managed(self.kind, operation)

    def put(self, item: Item) -> Item:
        """Keep an object."""
        self.content.items[item.key] = item
        return item

    def url(self, *parts: str) -> str:
        """Return an address in this vault."""
        return "/".join((f"https://{self.request.host}", *parts))


def block_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a block of a document; empty where there is none.

    Raises:
        VaultError: It is something else.
    """
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise errors.bad_parameter(f"Property '{name}' must be an object.")
    return value
