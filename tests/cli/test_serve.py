"""`tfoidc mock --serve`, and what it keeps in files: variables, resources, the CA."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from pytest_tfoidc.cli.serve import kept_in, write_variables
from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.mockazure import statefile
from pytest_tfoidc.mockazure.certificates import CertificateAuthority
from pytest_tfoidc.mockazure.directory import SUBSCRIPTION_ID
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.mockazure.tokens import RENEW_ALWAYS
from tests.signals_kit import default_signals

TFOIDC = (sys.executable, "-m", "pytest_tfoidc.cli", "mock")
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-kept"
SECONDS = 30
SHOW = "import os; print(os.environ['ARM_TENANT_ID'], os.environ['ARM_OIDC_REQUEST_URL'])"


@contextmanager
def serving(*arguments: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run it, and give the process and the file that it names."""
    command = [*TFOIDC, "--serve", *arguments]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with (
        default_signals(),
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        try:
            yield process, Path(line.removeprefix(". "))
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_a_signal_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with serving(folder=tmp_path) as (process, file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        script = f". {file} && {shlex.join([sys.executable, '-c', SHOW])}"
        shown = subprocess.run(
            ["/bin/sh", "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True
        )
        process.send_signal(number)
        rest, errors = process.communicate(timeout=SECONDS)

    assert shown.stdout.startswith("7e57ab1e-0000-4000-8000-000000000001 http://127.0.0.1:")
    assert (process.returncode, rest) == (0, "")
    assert "the stand-in runs at http://127.0.0.1:" in errors
    assert list(tmp_path.iterdir()) == []


def test_the_variables_lead_any_client_to_it_and_are_not_printed(tmp_path: Path) -> None:
    named = tmp_path / "variables.json"
    with serving("--format=json", f"--env-file={named}", folder=tmp_path) as (process, file):
        variables = json.loads(file.read_text())
        answer = requests.post(
            variables["ARM_OIDC_REQUEST_URL"],
            headers={"Authorization": f"Bearer {variables['ARM_OIDC_REQUEST_TOKEN']}"},
            timeout=SECONDS,
        )
        process.terminate()
        printed = "".join(process.communicate(timeout=SECONDS))

    assert file == named
    assert answer.json()["oidcToken"]
    assert variables["ARM_OIDC_REQUEST_TOKEN"] not in printed
    assert not named.exists()


def test_shells_get_back_exactly_what_was_written() -> None:
    odd = 'it\'s $HOME "and" `so` on\nand on'
    script = write_variables({"ODD": odd, "TFOIDC_GONE": None}, form="shell")
    show = f'{script}printf %s "$ODD${{TFOIDC_GONE-gone}}"'
    shown = subprocess.run(
        ["/bin/sh", "-c", show],
        env={"TFOIDC_GONE": "still there"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )

    assert shown.stdout == f"{odd}gone"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a command or --serve"),
        (["--serve", "--", "true"], "a command or --serve"),
        (["--fault", "nothing, status=500", "--", "true"], "no service"),
        (["--faults", "missing", "--", "true"], "cannot be read"),
        (["--state", ".", "--", "true"], "state cannot be read"),
        (["--ca-file", "missing/ca.pem", "--", "true"], "CA cannot be kept"),
        (["--env-file", "missing/env", "--serve"], "cannot be written"),
    ],
)
def test_what_cannot_be_used_is_an_error_with_a_remedy(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*TFOIDC, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 2
    assert "tfoidc" in done.stderr.split("\n")[0]
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def stand_in() -> Iterator[MockAzure]:
    clock = VirtualClock()
    yield MockAzure(clock=clock, events=EventLog(), environment={})
    clock.reset()


def test_resources_are_there_in_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/kept"
    with stand_in() as mock, kept_in(file, mock):
        mock.resource_manager.add(account, {"tags": {"$odd": "ü"}})
        mock.resource_manager.takes("Microsoft.Network/virtualNetworks", "45m")
        mock.graph.add("groups", {"displayName": "kept"})
        container = mock.blobs._store.container("kept", "tfstate")
        held, key = mock.snapshot_resources(), mock.blobs.key_for("kept")
    with stand_in() as mock, kept_in(file, mock):
        assert account.lower() in mock.resource_manager.resources
        assert mock.resource_manager.resources[account.lower()]["tags"] == {"$odd": "ü"}
        assert mock.access_tokens.announced == RENEW_ALWAYS
        assert mock.blobs._store.container("kept", "tfstate") == container
        assert mock.snapshot_resources() == held
        assert mock.blobs.key_for("kept") == key

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 0, "held": []}',
        '{"format": 2, "held": {"$object": ["Popen", {"args": "true"}]}}',
        '{"format": 2, "held": {"$object": ["Stamp", {"no": 1}]}}',
        '{"format": 2, "held": {"$eval": "1"}}',
        '{"format": 2, "held": {"$bytes": "%"}}',
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)

    with pytest.raises(UsageError, match="state cannot be read"):
        statefile.load(file)


def test_a_ca_is_the_same_in_the_next_run_and_its_key_private(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    first, second = CertificateAuthority(file), CertificateAuthority(file)
    key = tmp_path / "ca.pem.key"

    assert first.certificate == second.certificate == file.read_bytes()
    assert b"PRIVATE" not in file.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert CertificateAuthority().certificate != first.certificate
    key.unlink()
    with pytest.raises(UsageError, match="remove both"):
        CertificateAuthority(file)
