"""A Terraform is asked for its version once a machine; what only runs one is asked each time.

Each Terraform here is a real one; what is really started is counted.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_tfoidc import processes
from pytest_tfoidc.processes import Finished
from pytest_tfoidc.terraform import embedded
from pytest_tfoidc.terraform.executable import (
    Executable,
    embedded_executable,
    find_executable,
)
from pytest_tfoidc.terraform.toldversions import MAIN_PACKAGES, is_terraform_itself

ON_PATH = shutil.which("terraform")
needs_terraform = pytest.mark.skipif(ON_PATH is None, reason="no terraform on PATH")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what was really started, by its first argument."""
    seen: list[str] = []
    real = processes.run

    def run(argv: list[str], **settings: object) -> Finished:
        seen.append(argv[0])
        return real(argv, **settings)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(processes, "run", run)
    return seen


@pytest.fixture
def terraform() -> Path:
    assert ON_PATH is not None
    found = Path(ON_PATH).resolve()
    if not is_terraform_itself(str(found)):
        pytest.skip("the terraform on PATH is a wrapper")
    return found


@pytest.fixture
def own_terraform(terraform: Path, tmp_path: Path) -> Path:
    """A copy, that may be changed."""
    return Path(shutil.copy2(terraform, tmp_path / "terraform"))


def kept_in(environment: dict[str, str]) -> list[Path]:
    return sorted(Path(environment["XDG_CACHE_HOME"]).glob("pytest-tfoidc/versions/*"))


@needs_terraform
def test_terraform_is_asked_once(
    terraform: Path, environment: dict[str, str], started: list[str]
) -> None:
    first, second = (find_executable(str(terraform), environment) for _ in range(2))
    assert first == second
    assert len(started) == 1
    (file,) = kept_in(environment)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(embedded.library() is None, reason="the extra `terraform` is not installed")
def test_the_embedded_one_is_asked_once(environment: dict[str, str], started: list[str]) -> None:
    library = Path(embedded.library() or "")
    first, second = (embedded_executable(library, environment) for _ in range(2))
    assert first == second
    assert second.embedded
    assert len(started) == 1


def _touched(terraform: Path) -> None:
    os.utime(terraform, ns=(1, 1))


def _grown(terraform: Path) -> None:
    at = terraform.stat()
    with terraform.open("ab") as file:
        file.write(b"\0")
    os.utime(terraform, ns=(at.st_atime_ns, at.st_mtime_ns))


def _replaced_by_its_like(terraform: Path) -> None:
    """Another file with the same size and time: a release that a package manager puts there."""
    other = terraform.with_name("other")
    shutil.copy2(terraform, other)
    other.replace(terraform)


@needs_terraform
@pytest.mark.parametrize("change", [_touched, _grown, _replaced_by_its_like])
def test_what_was_replaced_is_asked_again(
    own_terraform: Path,
    environment: dict[str, str],
    started: list[str],
    change: Callable[[Path], None],
) -> None:
    find_executable(str(own_terraform), environment)
    change(own_terraform)
    find_executable(str(own_terraform), environment)
    assert len(started) == 2
    find_executable(str(own_terraform), environment)
    assert len(started) == 2
    assert len(kept_in(environment)) == 1


@needs_terraform
def test_a_link_that_leads_elsewhere_is_another_program(
    terraform: Path,
    own_terraform: Path,
    tmp_path: Path,
    environment: dict[str, str],
    started: list[str],
) -> None:
    """As tfswitch does it."""
    link = tmp_path / "link"
    link.symlink_to(terraform)
    find_executable(str(link), environment)
    find_executable(str(terraform), environment)
    assert len(started) == 1
    link.unlink()
    link.symlink_to(own_terraform)
    find_executable(str(link), environment)
    assert len(started) == 2


def _choosing(folder: Path, *, first_bytes: bytes = b"") -> Path:
    """Return a shim as tfenv's: it answers for the folder that it is run in."""
    shim = folder / "terraform"
    shim.write_bytes(first_bytes + b'#!/bin/sh\nprintf \'{"terraform_version": "\'\ncat version\n')
    with shim.open("ab") as file:
        file.write(b"printf '\"}'\n# " + MAIN_PACKAGES[0])
    shim.chmod(0o755)
    return shim


def test_a_shim_that_chooses_by_folder_is_asked_each_time(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = _choosing(tmp_path)
    found = []
    for version in ("1.5.7", "1.9.8"):
        folder = tmp_path / version
        folder.mkdir()
        (folder / "version").write_text(version, encoding="utf-8")
        monkeypatch.chdir(folder)
        found.append(find_executable(str(shim), environment).version)
    assert found == ["1.5.7", "1.9.8"]
    assert kept_in(environment) == []


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (b"\x7fELF" + b"x" * 99 + b"path\tgithub.com/hashicorp/terraform\nmod\t", True),
        (b"MZ" + b"x" * 99 + b"path\tgithub.com/opentofu/opentofu/cmd/tofu\nmod\t", True),
        (b"\xcf\xfa\xed\xfe" + b"path\tgithub.com/hashicorp/terraform\nmod\t", True),
        (b"\x7fELF" + b"path\tgithub.com/tofuutils/tenv/v4/cmd/terraform\nmod\t", False),
        (b"\x7fELF" + b"dep\tgithub.com/hashicorp/terraform\tv1.5.7\n", False),
        (b"\x7fELF a multi-call binary in Rust: mise", False),
        (b"#!/bin/sh\n# path\tgithub.com/hashicorp/terraform\nmod\t", False),
        (b"\x7fEL", False),
    ],
)
def test_a_program_is_known_by_what_it_was_built_from(
    tmp_path: Path,
    content: bytes,
    is_one: bool,  # noqa: FBT001 - a column of the table
) -> None:
    program = tmp_path / "terraform"
    program.write_bytes(content)
    assert is_terraform_itself(str(program)) is is_one


@needs_terraform
@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"version": "9.9.9"}',
        b'{"version": "9.9.9", "stamp": ["/other", 1]}',
        b'{"version": 9, "stamp": null}',
    ],
)
def test_what_was_kept_and_is_damaged_is_not_believed(
    terraform: Path, environment: dict[str, str], started: list[str], damage: bytes
) -> None:
    first = find_executable(str(terraform), environment)
    (file,) = kept_in(environment)
    file.write_bytes(damage)
    assert find_executable(str(terraform), environment) == first
    assert len(started) == 2
    assert find_executable(str(terraform), environment) == first
    assert len(started) == 2  # it was written anew


@needs_terraform
def test_a_version_that_is_none_is_not_believed(
    terraform: Path, environment: dict[str, str], started: list[str]
) -> None:
    first = find_executable(str(terraform), environment)
    (file,) = kept_in(environment)
    file.write_text(
        file.read_text(encoding="utf-8").replace(first.version, "\\u001b[31mx"), encoding="utf-8"
    )
    assert find_executable(str(terraform), environment) == first
    assert len(started) == 2


@needs_terraform
def test_what_others_may_have_written_is_not_believed(
    terraform: Path, environment: dict[str, str], started: list[str]
) -> None:
    find_executable(str(terraform), environment)
    (file,) = kept_in(environment)
    planted = file.read_text(encoding="utf-8")
    file.chmod(0o666)
    find_executable(str(terraform), environment)
    assert len(started) == 2
    assert file.read_text(encoding="utf-8") == planted
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@needs_terraform
def test_no_place_to_keep_it_costs_time_and_nothing_else(
    terraform: Path, tmp_path: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    for place in (tmp_path / "file", Path("/proc/nowhere")):
        environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(place)}
        assert find_executable(str(terraform), environment).version
    monkeypatch.setattr(Path, "home", _homeless)
    assert find_executable(str(terraform), {"PATH": os.environ["PATH"]}).version
    assert len(started) == 3


def _homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")


@needs_terraform
def test_many_may_ask_at_once(terraform: Path, environment: dict[str, str]) -> None:
    def ask(_number: int) -> Executable:
        return find_executable(str(terraform), environment)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(kept_in(environment)) == 1
