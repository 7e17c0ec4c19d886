"""The resources of a template: loops and conditions resolved, each with its id and its body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_tfoidc.mockazure.deployments.evaluation import LATER, Scope, count_of
from pytest_tfoidc.mockazure.deployments.expressions import invalid

Value = Any
DEPLOYMENTS = "microsoft.resources/deployments"
GROUPS = "microsoft.resources/resourcegroups"
TENANT_LEVEL = ("microsoft.management/managementgroups", "microsoft.subscription/aliases")
# Of a resource in a template; everything else is the body that is put.
NOT_BODY = frozenset(
    {
        *("name", "type", "apiversion", "dependson", "condition", "copy", "comments", "scope"),
        *("resources", "subscriptionid", "resourcegroup", "existing", "import", "metadata"),
    }
)
MOST = 800  # resources of one template


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One resource of a template, with the scope that its expressions are evaluated in."""

    kind: str
    name: str
    id: str
    written: Mapping[str, Any] = field(repr=False)
    scope: Scope = field(repr=False)
    symbol: str = ""
    loop: str = ""
    existing: bool = False
    parent_id: str = ""

    @property
    def key(self) -> str:
        """The id for comparisons."""
        return self.id.lower()

    @property
    def api_version(self) -> str:
        """The version that it is put with."""
        return str(self.scope.value(self.written.get("apiVersion", "")))

    def body(self) -> dict[str, Any]:
        """Return what is put."""
        kept = {n: v for n, v in self.written.items() if n.lower() not in NOT_BODY}
        properties = kept.get("properties")
        if self.kind.lower() == DEPLOYMENTS and isinstance(properties, dict):
            # its template is evaluated by itself
            kept["properties"] = {n: v for n, v in properties.items() if n != "template"}
        body = self.scope.value(kept)
        assert isinstance(body, dict)  # noqa: S101 - a block gives a block
        return body

    def depends_on(self) -> set[str]:
        """Return what it says that it depends on, in lower case: names, ids, symbols, loops."""
        found = self.scope.value(self.written.get("dependsOn") or [])
        if not isinstance(found, list):
            raise invalid(f"'dependsOn' of '{self.name}' must be a list")
        return {str(item).lower().strip("/") for item in found if item is not LATER}

    def is_called(self, name: str) -> bool:
        """Tell whether a name of `dependsOn` or `reference` means this one."""
        wanted = name.lower().strip("/")
        short = f"{self.kind.partition('/')[2]}/{self.name}".lower()
        known = {self.key.strip("/"), self.name.lower(), self.symbol.lower(), self.loop.lower()}
        by_type = f"{self.kind}/{self.name}".lower()
        return bool(wanted) and wanted in {*known, short, by_type}


def declared(template: Mapping[str, Any], scope: Scope, *, place: str) -> list[Declared]:
    """Return the resources of a template that its conditions leave.

    Args:
        template: The template.
        scope: Has its parameters and variables.
        place: The id of the deployment's scope: a group, a subscription, …

    Raises:
        ArmError: One is malformed, or two are the same.
    """
    found: list[Declared] = []
    seen: set[str] = set()
    for symbol, written in _entries(template.get("resources") or []):
        for one in _expanded(written, scope, place=place, symbol=symbol):
            if not one.existing and one.key in seen:
                raise invalid(
                    f"The resource '{one.kind}/{one.name}' is defined multiple times in a "
                    "template. Please see https://aka.ms/arm-syntax-resources for usage details"
                )
            seen.add(one.key)
            found.append(one)
            if len(found) > MOST:
                raise invalid(f"The template has more than {MOST} resources")
    return found


def _entries(resources: Value) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(resources, dict):
        pairs: list[tuple[str, Value]] = list(resources.items())
    elif isinstance(resources, list):
        pairs = [("", item) for item in resources]
    else:
        raise invalid("The template's 'resources' must be a list or an object")
    for symbol, written in pairs:
        if not isinstance(written, dict):
            raise invalid("A resource of a template must be an object")
        yield symbol, written


def _expanded(
    written: Mapping[str, Any],
    scope: Scope,
    *,
    place: str,
    symbol: str,
    parent: Declared | None = None,
) -> Iterator[Declared]:
    """Return what a declaration stands for: none, one, one for each turn of its loop; children."""
    loop = written.get("copy")
    if isinstance(loop, dict):
        name = str(loop.get("name", ""))
        for index in range(count_of(scope.value(loop.get("count")))):
            turn = replace(scope, loops={**scope.loops, name.lower(): index, "": index})
            yield from _one(written, turn, place=place, symbol=symbol, loop=name, parent=parent)
    else:
        yield from _one(written, scope, place=place, symbol=symbol, loop="", parent=parent)


def _one(  # noqa: PLR0913 - keyword only
    written: Mapping[str, Any],
    scope: Scope,
    *,
    place: str,
    symbol: str,
    loop: str,
    parent: Declared | None,
) -> Iterator[Declared]:
    condition = scope.value(written.get("condition", True))
    if condition is False:
        return
    kind, name = (_text(scope, written, part) for part in ("type", "name"))
    if parent is not None:
        if not kind.lower().startswith(parent.kind.lower()):
            kind, name = f"{parent.kind}/{kind}", f"{parent.name}/{name}"
        elif "/" not in name or name.count("/") < kind.count("/") - 1:
            name = f"{parent.name}/{name}"
    if parent is not None and "dependsOn" not in written:
        written = {**written, "dependsOn": [parent.id]}
    made = Declared(
        kind=kind,
        name=name,
        id=id_of(kind, name, base=_base(written, scope, kind, place)),
        written=written,
        scope=scope,
        symbol=symbol,
        loop=loop,
        existing=written.get("existing") is True,
        parent_id=parent.id if parent else "",
    )
    yield made
    for inner_symbol, child in _entries(written.get("resources") or []):
        yield from _expanded(child, scope, place=place, symbol=inner_symbol, parent=made)


def _text(scope: Scope, written: Mapping[str, Any], name: str) -> str:
    value = scope.value(written.get(name))
    if not isinstance(value, str) or not value:
        raise invalid(
            f"A resource of the template has no '{name}', or one that is not known before"
        )
    return value


def _base(written: Mapping[str, Any], scope: Scope, kind: str, place: str) -> str:
    """Return the id of what a resource lies in, or of what it extends."""
    own = scope.value(written.get("scope"))
    if isinstance(own, str) and own:
        return "" if own == "/" else _absolute(own, place)
    group, subscription = (scope.value(written.get(n)) for n in ("resourceGroup", "subscriptionId"))
    current = next(iter(_parts(place)), "")
    if isinstance(group, str) and group:
        chosen = subscription if isinstance(subscription, str) and subscription else current
        return f"/subscriptions/{chosen}/resourceGroups/{group}"
    if isinstance(subscription, str) and subscription:
        return f"/subscriptions/{subscription}"
    if kind.lower() in TENANT_LEVEL:
        return ""
    return place


def _absolute(own: str, place: str) -> str:
    lower = own.lower()
    if lower.startswith(("/subscriptions/", "/providers/", "subscriptions/")):
        return f"/{own.strip('/')}"
    segments = own.strip("/").split("/")  # such as Microsoft.Storage/storageAccounts/name
    if "." not in segments[0]:
        return place
    depth = (len(segments) - 1) // 2
    kinds, names = segments[1 : 1 + depth], segments[1 + depth :]
    return id_of("/".join((segments[0], *kinds)), "/".join(names), base=place)


def _parts(place: str) -> list[str]:
    segments = place.strip("/").split("/")
    return segments[1:2] if segments[0].lower() == "subscriptions" else []


def id_of(kind: str, name: str, *, base: str) -> str:
    """Return a resource's id for its type and its name, such as `…/subnets` and `vnet/snet`.

    Raises:
        ArmError: The type and the name have not as many segments as each other.
    """
    namespace, *kinds = kind.strip("/").split("/")
    names = name.strip("/").split("/")
    if not kinds or len(kinds) != len(names):
        raise invalid(
            f"The template resource '{name}' of type '{kind}' has incorrect segment lengths. A "
            "nested resource type must have identical number of segments as its resource name"
        )
    if kind.lower() == GROUPS:
        return f"{base.partition('/resourceGroups')[0]}/resourceGroups/{names[0]}"
    pairs = "/".join(part for pair in zip(kinds, names, strict=True) for part in pair)
    return f"{base}/providers/{namespace}/{pairs}"
