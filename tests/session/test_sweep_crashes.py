"""A sweep that crashes at any of its steps loses nothing, and the next one ends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_tfoidc.sweeping import exit_code
from pytest_tfoidc.terraform.live.recording import managed
from pytest_tfoidc.terraform.runner import Completed, Runner
from tests.sweep_kit import DATA, World, world_of


class Crashed(BaseException):
    """The process is no more: nothing that it does has an effect."""


class Crash:
    """Ends the process before one step, or right after it. Steps: commands, and ledger writes."""

    def __init__(self, at: int, ledger: Path) -> None:
        self.at = at
        self.steps: list[str] = []
        self._ledger = ledger

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        run = Runner.run

        def planted(runner: Runner, command: str, *args: str, **kwargs: Any) -> Completed:  # noqa: ANN401 - Terraform's options
            self._step(f"before {command}")
            done = run(runner, command, *args, **kwargs)
            self._step(f"after {command}")
            return done

        monkeypatch.setattr(Runner, "run", planted)
        for name in ("replace", "unlink"):
            monkeypatch.setattr(os, name, self._planted(name, getattr(os, name)))

    def _planted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: str | Path, *args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - os's
            if str(path).startswith(str(self._ledger)):
                self._step(f"{name} {Path(path).suffix}")
            return real(path, *args, **kwargs)

        return call

    def _step(self, what: str) -> None:
        self.steps.append(what)
        if len(self.steps) >= self.at:
            raise Crashed(what)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_of(tmp_path_factory.mktemp("world")) as made:
        made.write(DATA)
        yield made


def crash(world: World, at: int) -> list[str]:
    """Let a sweep crash at a step; give the steps so far."""
    with pytest.MonkeyPatch.context() as patch:
        planted = Crash(at, world.ledger.folder)
        planted.plant(patch)
        try:
            world.sweep()
        except Crashed:
            return planted.steps
    return []


def resources(world: World) -> tuple[str, ...]:
    """Return what the states in the stand-in hold."""
    return tuple(address for state in world.states for address in managed(state))


def test_a_sweep_that_crashes_at_any_step_is_ended_by_the_next(world: World) -> None:
    seen: dict[str, bool] = {}
    at = 1
    world.deploy()
    while steps := crash(world, at):
        there = bool(resources(world)) if "destroy" in steps[-1] else None
        entries = world.ledger.entries()
        if there:
            assert len(entries) == 1  # no resource without an entry
        seen[steps[-1]] = bool(there)
        if not entries or "after destroy" in steps:
            assert exit_code(world.sweep()) == 0
            assert world.ledger.entries() == []
            assert world.locks == []
            assert resources(world) == ()
            world.deploy()
        at += 1
    assert world.ledger.entries() == []
    assert resources(world) == ()
    assert seen["before destroy"]
    assert not seen["after destroy"]
    assert {"before init", "after state pull", "unlink .json", "unlink .jsonl"} <= set(seen)
