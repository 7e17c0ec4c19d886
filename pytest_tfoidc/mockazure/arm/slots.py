"""Slots of apps: they run on the plan of their app, unless they say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

SLOTS = "microsoft.web/sites/slots"
PLAN = "serverFarmId"


def with_plan(store: Store, slot: Resource) -> Document:
    """Return a slot's document with the plan that it runs on."""
    app = store.get(slot.parent)
    plan = slot.properties.get(PLAN) or (app.properties.get(PLAN) if app else None)
    if not plan:
        return slot.document
    return {**slot.document, "properties": {**slot.properties, PLAN: plan}}
