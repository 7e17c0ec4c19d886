"""Which subscriptions a module under test would touch, and what keeps resources beyond its runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.module import RootModule

SUBSCRIPTION_ID = "subscription_id"
# Arguments by which a resource is put into a subscription that its provider does not name.
SCOPES = ("parent_id", "scope", "resource_id", "target_resource_id", SUBSCRIPTION_ID)
IN_ID = re.compile(r"^/subscriptions/([^/]+)", re.IGNORECASE)
VARIABLE = re.compile(r"var\.([A-Za-z_][\w-]*)$")
OPTION = "--tf-allowed-subscription"


class SubscriptionError(UsageError):
    """A live run would touch a subscription that it may not. Nothing was written."""


@dataclass(frozen=True)
class NamedSubscription:
    """A subscription that is named somewhere; `id` is empty where it cannot be told."""

    id: str
    where: str


def require_allowed(named: Iterable[NamedSubscription], allowed: Collection[str]) -> None:
    """Make sure that only allowed subscriptions are named.

    Args:
        named: What is named, and where.
        allowed: The ids, in lower case; empty allows any.

    Raises:
        SubscriptionError: Another one is named, or one that cannot be told.
    """
    if not allowed:
        return
    for one in named:
        if one.id.lower() not in allowed:
            raise _refused(one, allowed)


def _refused(named: NamedSubscription, allowed: Collection[str]) -> SubscriptionError:
    what = f"The subscription {named.id} may not be touched by tests."
    cause = f"{OPTION} allows {', '.join(sorted(allowed))} only"
    remedy = "Sign in to the test subscription, or allow this one as well."
    if not named.id:
        what = "A subscription is named that cannot be told before the apply."
        remedy = "Name it by a literal, or by a variable of the root module that has a value."
    return SubscriptionError(what, where=named.where, cause=cause, remedy=remedy)


def no_subscription(allowed: Collection[str]) -> SubscriptionError:
    """Return the error where neither the environment nor every module names a subscription."""
    return SubscriptionError(
        "No subscription is named, so nobody can tell which one would be touched.",
        where="ARM_SUBSCRIPTION_ID",
        cause=f"it is not set, and {OPTION} allows {', '.join(sorted(allowed))} only",
        remedy="Set it, or give `subscription_id` in the provider blocks of the modules.",
    )


def written_in(module: RootModule) -> Iterator[NamedSubscription]:
    """Find the subscriptions that provider blocks of a module and of its local ones spell out."""
    for one in (module, *module.called_modules()):
        yield from _in_files(one.files)


def _in_files(files: Iterable[Path]) -> Iterator[NamedSubscription]:
    for file in files:
        for block in parser.parse_file(file).of_type("provider"):
            value = block.body.literal(SUBSCRIPTION_ID)
            if isinstance(value, str) and value:
                yield NamedSubscription(value, f"{file}:{block.line}")


def planned_in(plan: Mapping[str, Any]) -> Iterator[NamedSubscription]:
    """Find the subscriptions that a plan would touch beside the environment's.

    Args:
        plan: What `show -json` says of it.
    """
    variables = plan.get("variables", {})
    configs = plan.get("configuration", {}).get("provider_config", {})
    for key, config in configs.items():
        given = config.get("expressions", {}).get(SUBSCRIPTION_ID)
        if given is not None and given.get("constant_value", "") is not None:
            is_root = not config.get("module_address")
            yield NamedSubscription(_value(given, variables if is_root else {}), f"provider {key}")
    for change in plan.get("resource_changes", ()):
        after = change.get("change", {}).get("after")
        if change.get("mode") == "managed" and isinstance(after, Mapping):
            yield from _in_arguments(change.get("address", ""), after)


def _value(given: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    constant = given.get("constant_value")
    if isinstance(constant, str):
        return constant
    references = given.get("references", ())
    match = VARIABLE.match(references[0]) if len(references) == 1 else None
    value = variables.get(match[1], {}).get("value") if match else None
    return value if isinstance(value, str) else ""


def _in_arguments(address: str, after: Mapping[str, Any]) -> Iterator[NamedSubscription]:
    for name in SCOPES:
        value = after.get(name)
        if isinstance(value, str):
            match = IN_ID.match(value)
            if match or (name == SUBSCRIPTION_ID and value):
                yield NamedSubscription(match[1] if match else value, f"{address}, {name}")
