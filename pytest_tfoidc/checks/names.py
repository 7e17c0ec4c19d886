"""The names of the checks. Every run of pytest loads this with the options."""

from __future__ import annotations

CHECKS = (
    "delayed_apply",
    "expiry_during_apply",
    "destroy_after_expiry",
    "no_cached_credentials",
    "cached_token_fails",
)
SHARED = CHECKS[:-1]  # what one deployment can show; the control needs one of its own
