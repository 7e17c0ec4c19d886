"""Hosts that are played and needed: what the stand-in does not play reaches the real one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog, HostPassedThrough, HostRefused
from pytest_tfoidc.mockazure.certificates import public_certificates
from pytest_tfoidc.mockazure.server import MockAzure
from tests.mockazure.hostkit import World, world
from tests.project_kit import Project

HOST = "dev.azure.com"
REPOSITORY = f"https://{HOST}/example-org/platform/_git/terraform-modules"
OURS = {"client_id": "c", "object_id": "o", "tenant_id": "t"}


def git(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {
        "HOME": str(cwd),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],  # noqa: S607 - whichever git there is
        cwd=cwd,
        env={**own, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The real dev.azure.com, with a repository of modules."""
    tmp_path = tmp_path_factory.mktemp("outside")
    work = tmp_path / "work"
    (work / "naming").mkdir(parents=True)
    (work / "naming" / "main.tf").write_text('output "name" {\n  value = "x"\n}\n')
    git("init", "-q", "-b", "main", cwd=work)
    git("add", ".", cwd=work)
    git("commit", "-qm", "one", cwd=work)
    git("tag", "v1.0.0", cwd=work)
    (tmp_path / "root").mkdir()
    bare = tmp_path / "root" / "terraform-modules"
    assert git("clone", "-q", "--bare", str(work), str(bare), cwd=tmp_path).returncode == 0
    with world(tmp_path, host=HOST, root=tmp_path / "root") as made:
        yield made


@contextlib.contextmanager
def stand_in(outside: World, *allowed: str) -> Iterator[MockAzure]:
    clock = VirtualClock()
    mock = MockAzure(
        clock=clock,
        events=EventLog(),
        environment=outside.environment,
        allowed_hosts=allowed,
    )
    with mock:
        yield mock
    clock.reset()


def get(mock: MockAzure, url: str, **headers: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": mock.url}
        session.verify = str(mock.ca_file)
        return session.get(url, headers=headers, timeout=20)


@pytest.mark.parametrize("allowed", [(), (HOST,)])
def test_git_reaches_the_real_host(
    outside: World, tmp_path: Path, allowed: tuple[str, ...]
) -> None:
    with stand_in(outside, *allowed) as mock:
        environment = mock.transport_environment()
        done = git("clone", "-q", "-b", "v1.0.0", REPOSITORY, "x", cwd=tmp_path, **environment)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "x" / "naming" / "main.tf").is_file()
        assert HOST in {e.host for e in mock.events.of(HostPassedThrough)}


def test_a_push_is_refused_by_name_unless_the_host_is_allowed(
    outside: World, tmp_path: Path
) -> None:
    with stand_in(outside) as mock:
        environment = mock.transport_environment()
        git("clone", "-q", REPOSITORY, "x", cwd=tmp_path, **environment)
        before = len(outside.seen)
        done = git("push", "origin", "HEAD:other", cwd=tmp_path / "x", **environment)
        assert done.returncode != 0
        assert "--tf-allow-host dev.azure.com" in done.stderr
        assert len(outside.seen) == before
        assert mock.events.of(HostRefused)


def test_what_is_not_played_is_refused_with_a_word_or_reaches_an_allowed_host(
    outside: World,
) -> None:
    page = f"https://{HOST}/example-org/_packaging/feed/nuget/v3/index.json"
    rest = f"https://{HOST}/example-org/_apis/tfvc/items"
    of_old = "https://example-org.visualstudio.com/_packaging/feed/nuget/v3/index.json"
    with stand_in(outside) as mock:
        for url, status in ((page, 403), (rest, 404), (of_old, 403)):
            answer = get(mock, url)
            assert answer.status_code == status
            assert f"does not play {url}" in answer.text
    with stand_in(outside, HOST) as mock:
        assert {get(mock, url).text for url in (page, rest)} == {"the real one"}
        assert get(mock, f"https://{HOST}/org/_apis/projects").status_code == 203  # played here


def test_a_token_of_the_stand_ins_never_leaves_it(outside: World) -> None:
    with stand_in(outside, HOST) as mock:
        token = mock.access_tokens.issue(audience="a", **OURS).value
        for path in ("_packaging/feed", "_apis/tfvc/items", "p/_git/r/info/refs"):
            url = f"https://{HOST}/example-org/{path}"
            answer = get(mock, url, Authorization=f"Bearer {token}")
            assert "refused by tfoidc" in answer.text
    assert outside.seen == []


def test_a_token_of_somebody_else_reaches_an_allowed_host(tmp_path: Path) -> None:
    host = "management.azure.com"
    url = f"https://{host}/subscriptions?api-version=2024-01-01"
    foreign = {"Authorization": "Bearer somebody-elses"}
    with world(tmp_path, host=host, root=tmp_path) as outside:
        with stand_in(outside) as mock:
            assert get(mock, url, **foreign).status_code == 401
        with stand_in(outside, host) as mock:
            assert get(mock, url, **foreign).text == "the real one"
            assert get(mock, url).status_code == 401  # without a token it is played
            token = mock.access_tokens.issue(audience=f"https://{host}", **OURS).value
            assert get(mock, url, Authorization=f"Bearer {token}").status_code == 200
    assert [line.split()[-1] for line in outside.seen] == ["somebody-elses"]


def test_a_real_host_whose_certificate_is_not_trusted_is_not_used(outside: World) -> None:
    untrusting = {n: v for n, v in outside.environment.items() if n != "SSL_CERT_FILE"}
    with stand_in(World(untrusting), HOST) as mock:
        answer = get(mock, f"https://{HOST}/example-org/_packaging/feed")
    assert answer.status_code == 424
    assert "could not reach the real dev.azure.com" in answer.text
    assert outside.seen == []


def test_the_bundle_has_what_git_alone_trusts(outside: World, tmp_path: Path) -> None:
    certificate = Path(outside.environment["SSL_CERT_FILE"]).read_text(encoding="ascii").strip()
    for_git = {"GIT_SSL_CAINFO": outside.environment["SSL_CERT_FILE"]}
    with stand_in(World(for_git)) as mock:
        bundle = Path(mock.transport_environment()["GIT_SSL_CAINFO"])
        assert certificate in bundle.read_text(encoding="utf-8")


def test_the_bundle_has_each_certificate_of_the_folders_once(
    outside: World, tmp_path: Path
) -> None:
    """Whatever Go's programs find there: a child has the bundle alone."""
    certificate = Path(outside.environment["SSL_CERT_FILE"]).read_bytes()
    for name in ("first/own.crt", "second/again.pem", "second/0a1b2c3d.0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(certificate.replace(b"\n", b"\r\n"))
    (tmp_path / "second" / "dead.pem").symlink_to(tmp_path / "nowhere.pem")
    folders = os.pathsep.join(str(tmp_path / name) for name in ("none", "first", "second"))
    usual = public_certificates({"SSL_CERT_DIR": str(tmp_path / "none")})
    assert certificate.split()[2] not in usual
    both = public_certificates({"SSL_CERT_DIR": folders})
    assert both.count(certificate.split()[2]) == 1
    assert both.count(b"BEGIN") == usual.count(b"BEGIN") + 1


MODULE = """
terraform {
  backend "azurerm" {}
}
module "naming" {
  source = "git::https://dev.azure.com/example-org/platform/_git/terraform-modules//naming?ref=v1.0.0"
}
output "name" {
  value = module.naming.name
}
"""


def test_modules_in_azure_repos_are_fetched(
    outside: World,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    for name in ("HTTPS_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, outside.environment[name])
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    project.module(main=MODULE)
    project.check("delayed_apply").assert_outcomes(passed=1)
    assert any("git-upload-pack" in line for line in outside.seen)
