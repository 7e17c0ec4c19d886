"""The gain of an upgrade that crosses a version from which on a client refreshes by itself."""

from __future__ import annotations

from pytest_tfoidc.refreshfloors import FLOORS
from pytest_tfoidc.terraform.upgrade.spec import TERRAFORM
from pytest_tfoidc.terraform.versions import Version


def floor_note(subject: str, before: Version, after: Version) -> str:
    """Say what a step gains or loses by crossing a floor; nothing where it crosses none.

    Args:
        subject: `terraform`, or a provider's source.
        before: The version that the step starts from.
        after: The version that it goes to.
    """
    floor = Version(FLOORS[subject]) if subject in FLOORS else None
    if floor is None or (before < floor) == (after < floor):
        return ""
    what = "its azurerm backend" if subject == TERRAFORM else subject
    gained = before < floor
    verb = "refreshes" if gained else "no longer refreshes"
    return (
        f"{subject} {after} {verb} ID tokens on Azure DevOps by itself (from {floor} on); below"
        f" that, {what} refreshes through the relay only, which answers GitHub's protocol"
    )
