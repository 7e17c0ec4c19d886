"""The versions from which on clients refresh Azure DevOps' ID tokens by themselves.

Source: docs/protocol.md, section 2: the changelogs of these projects. GitHub's protocol is older.
"""

from __future__ import annotations

Release = tuple[int, int, int]

TERRAFORM, OPENTOFU = "terraform", "opentofu"
AZURERM, AZUREAD = "hashicorp/azurerm", "hashicorp/azuread"
AZAPI, AZUREDEVOPS = "azure/azapi", "microsoft/azuredevops"
FLOORS: dict[str, Release] = {
    TERRAFORM: (1, 11, 2),
    OPENTOFU: (1, 10, 0),
    AZURERM: (4, 18, 0),
    AZUREAD: (3, 2, 0),
    AZAPI: (2, 0, 1),
    AZUREDEVOPS: (1, 4, 0),
}
PROVIDERS = tuple(subject for subject in FLOORS if "/" in subject)


def floor_of(subject: str) -> str:
    """Return a floor as it is written: 4.18.0.

    Args:
        subject: A key of `FLOORS`: `terraform`, `opentofu`, or a provider's source.
    """
    return ".".join(map(str, FLOORS[subject]))


def floors_of(*subjects: str, joint: str = " ") -> str:
    """Return floors with the names of their clients: azurerm 4.18.0, azuread 3.2.0.

    Args:
        subjects: Keys of `FLOORS`.
        joint: Stands between a name and its floor.
    """
    return ", ".join(
        f"{subject.rpartition('/')[2]}{joint}{floor_of(subject)}" for subject in subjects
    )
