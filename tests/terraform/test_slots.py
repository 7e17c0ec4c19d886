"""Slots: how many deploy at once, who waits, and who does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from pytest_tfoidc.ending import Ending
from pytest_tfoidc.terraform.slots import Slots

HOLDING = """
import sys
from pathlib import Path
from pytest_tfoidc.ending import Ending
from pytest_tfoidc.terraform.slots import Slots
with Slots(Path(sys.argv[1]), 1).one(Ending()):
    print("held", flush=True)
    sys.stdin.read()
"""


def deploying(slots: Slots, ending: Ending, entered: threading.Event) -> threading.Thread:
    """Start somebody who takes a slot, and says so."""

    def deploy() -> None:
        with slots.one(ending):
            entered.set()

    thread = threading.Thread(target=deploy)
    thread.start()
    return thread


def test_who_finds_none_waits_until_one_is_given_back(tmp_path: Path) -> None:
    slots, entered = Slots(tmp_path, 2), threading.Event()
    with slots.one(Ending()):
        with slots.one(Ending()):
            thread = deploying(slots, Ending(), entered)
            assert not entered.wait(0.3)
        assert entered.wait(30)
    thread.join()


def test_who_is_asked_to_end_waits_no_more(tmp_path: Path) -> None:
    slots, entered, ending = Slots(tmp_path, 1), threading.Event(), Ending()
    with slots.one(Ending()):
        thread = deploying(slots, ending, entered)
        assert not entered.wait(0.2)
        ending.ask(signal.SIGTERM)
        assert entered.wait(30)
    thread.join()


def test_who_dies_gives_its_slot_back(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    entered = threading.Event()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        thread = deploying(Slots(tmp_path, 1), Ending(), entered)
        assert not entered.wait(0.2)
        holder.kill()
    assert entered.wait(30)
    thread.join()
