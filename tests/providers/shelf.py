"""A real Terraform provider over a folder, that can be held at any point of its life.

`shelf_item` is a file `cloud/NAME` in its `folder`. At each phase (`plan`, `create`, `delete`) it
leaves a file `at-PHASE-NAME`, and waits there for as long as `hold-PHASE-NAME` is there; where that
says `fail`, the phase fails when it is let go. It ends as providers in Go do: an interrupt of its
group does nothing, and what it is at ends before it does.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tf import runner
from tf.iface import Provider, Resource
from tf.schema import Attribute, Schema
from tf.types import String

LONGEST_SECONDS = 120.0  # nobody holds it for ever
LOOK_SECONDS = 0.02


class PhaseFailed(Exception):  # noqa: N818 - what the test wants
    """The phase was told to fail."""


def hold(folder: Path, phase: str) -> None:
    """Say that a phase has begun, and wait until it may go on.

    Raises:
        PhaseFailed: It was told to.
    """
    (folder / f"at-{phase}").touch()
    held, end, word = folder / f"hold-{phase}", time.monotonic() + LONGEST_SECONDS, ""
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            word = held.read_text(encoding="utf-8") or word
            time.sleep(LOOK_SECONDS)
            continue
        break
    if word == "fail":
        raise PhaseFailed(f"{phase} was told to fail")


class Item(Resource):  # type: ignore[misc] # tf has no types
    """`shelf_item`: a file."""

    def __init__(self, _provider: Shelf) -> None:
        """Take nothing from the provider."""

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name without the provider's."""
        return "item"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            attributes=[
                Attribute("name", String(), required=True, requires_replace=True),
                Attribute("folder", String(), required=True, requires_replace=True),
            ]
        )

    def validate(self, diags: Any, type_name: str, config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Hold in the phase `plan`, in front of Terraform's own planning, with the state locked."""
        super().validate(diags, type_name, config)
        if isinstance(config.get("folder"), str) and isinstance(config.get("name"), str):
            try:
                hold(Path(config["folder"]), f"plan-{config['name']}")
            except PhaseFailed as error:
                diags.add_error("The shelf failed", str(error))

    def create(self, ctx: Any, planned: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ANN401 - tf has no types
        """Make the file, hold, and tell of it: it is there before Terraform knows."""
        _file_of(planned).touch()
        if self._held(ctx, "create", planned):
            return planned
        _file_of(planned).unlink()
        return None

    def read(self, _ctx: Any, current: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ANN401 - tf has no types
        """Look whether it is there."""
        return current if _file_of(current).exists() else None

    def update(self, _ctx: Any, _current: dict[str, Any], planned: dict[str, Any]) -> Any:  # noqa: ANN401 - tf has no types
        """Change nothing: everything requires a replacement."""
        return planned

    def delete(self, ctx: Any, current: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Hold, and remove the file."""
        if self._held(ctx, "delete", current):
            _file_of(current).unlink(missing_ok=True)

    @staticmethod
    def _held(ctx: Any, phase: str, state: dict[str, Any]) -> bool:  # noqa: ANN401 - tf has no types
        try:
            hold(Path(state["folder"]), f"{phase}-{state['name']}")
        except PhaseFailed as error:
            ctx.diagnostics.add_error("The shelf failed", str(error))
            return False
        return True


def _file_of(state: dict[str, Any]) -> Path:
    return Path(state["folder"]) / "cloud" / str(state["name"])


class Shelf(Provider):  # type: ignore[misc] # tf has no types
    """The provider."""

    def get_model_prefix(self) -> str:
        """Return what the names of all types begin with."""
        return "shelf_"

    def full_name(self) -> str:
        """Return the provider's source."""
        return "registry.terraform.io/tfoidc/shelf"

    def get_provider_schema(self, _diags: Any) -> Schema:  # noqa: ANN401 - tf has no types
        """Return no arguments."""
        return Schema(attributes=[])

    def validate_config(self, _diags: Any, _config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Accept every configuration."""

    def configure_provider(self, _diags: Any, _config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Need nothing."""

    def get_data_sources(self) -> list[type]:
        """Return none."""
        return []

    def get_resources(self) -> list[type]:
        """Return the resource type."""
        return [Item]


def end_as_go_does() -> None:
    """Let what is going on end before the provider does: `tf` would break it off."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ends = runner._ShutdownInterceptor.intercept_service

    def patient(self: Any, go_on: Any, call: Any) -> Any:  # noqa: ANN401 - tf has no types
        is_stop = call.method.endswith("/StopProvider")
        return go_on(call) if is_stop else ends(self, go_on, call)

    runner._ShutdownInterceptor.intercept_service = patient


if __name__ == "__main__":
    end_as_go_does()
    runner.run_provider(Shelf(), argv=sys.argv[:1])
