"""How long ten deployments take beside tftest and pytest-terraform, and many modules on workers.

Run it as a script: `python tests/benchmarks/bench_peers.py [ROUNDS]`, with pytest-xdist, and those
of tftest and pytest-terraform that are to be compared. Each figure is the median of the ratios of
runs that follow each other; Terraform is the one on PATH.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pytest_tfoidc.clock import real_seconds

TIMES = 10
MODULES = 8
MODULE = 'resource "terraform_data" "it" {\n  input = "there"\n}\n'
# With a module inside: init makes no data directory where it has nothing to put there, and
# pytest-terraform needs one.
OUTPUT = """
output "it" {
  value = terraform_data.it.output
}
module "inner" {
  source = "./inner"
}
"""
PLAIN = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
OURS = f"""
import pathlib, pytest
@pytest.mark.parametrize("number", range({TIMES}))
def test_it(tf_workspace, number):
    with tf_workspace(pathlib.Path(__file__).parent / "module").deployed() as deployed:
        assert deployed.output("it") == "there"
"""
TFTEST = f"""
import pathlib, pytest, shutil, tftest
@pytest.mark.parametrize("number", range({TIMES}))
def test_it(tmp_path, number):
    folder = tmp_path / "module"
    shutil.copytree(pathlib.Path(__file__).parent / "module", folder)
    deployed = tftest.TerraformTest(str(folder))
    deployed.setup()
    deployed.apply()
    try:
        assert deployed.output()["it"] == "there"
    finally:
        deployed.destroy()
"""
PYTEST_TERRAFORM = f"""
import pytest
from pytest_terraform import terraform
@pytest.mark.parametrize("number", range({TIMES}))
@terraform("module", scope="function")
def test_it(module, number):
    assert module.outputs["it"]["value"] == "there"
"""


def seconds(folder: Path, *arguments: str) -> float:
    """Return how long one pytest takes.

    Raises:
        SystemExit: It fails.
    """
    started = real_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLAIN, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST")},
    )
    taken = real_seconds() - started
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-1000:])
    return taken


def compare(what: str, theirs: Callable[[], float], ours: Callable[[], float], rounds: int) -> None:
    """Print how many times as fast the second is."""
    theirs(), ours()  # fill caches
    pairs = [(theirs(), ours()) for _ in range(rounds)]
    ratio = statistics.median(their / our for their, our in pairs)
    their, our = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"{what:58} {their:6.2f} s  {our:6.2f} s  {ratio:5.2f} times as fast", flush=True)


def deployments(folder: Path, rounds: int) -> None:
    """Compare ten deployments of one module, serial and with two workers."""
    kinds = {
        "ours": (OURS, ("-p", "no:terraform")),
        "tftest": (TFTEST, ("-p", "no:tfoidc", "-p", "no:terraform")),
        "pytest_terraform": (PYTEST_TERRAFORM, ("-p", "no:tfoidc")),
    }
    for name, (test, _) in kinds.items():
        module = folder / name / ("terraform/module" if name == "pytest_terraform" else "module")
        module.mkdir(parents=True)
        (module / "inner").mkdir()
        (module / "inner" / "main.tf").touch()
        (module / "main.tf").write_text(MODULE + OUTPUT, encoding="utf-8")
        (folder / name / "test_it.py").write_text(test, encoding="utf-8")
    for name, (_, options) in kinds.items():
        if name == "ours" or importlib.util.find_spec(name) is None:
            continue
        for workers in ((), ("-n2",)):
            compare(
                f"{TIMES} deployments {' '.join(workers) or 'serial'}, {name} and ours",
                lambda: seconds(folder / name, *options, *workers),  # noqa: B023 - called at once
                lambda: seconds(folder / "ours", *kinds["ours"][1], *workers),  # noqa: B023 - the same
                rounds,
            )


def workers(folder: Path, rounds: int) -> None:
    """Compare the checks of many modules, serial and with two workers."""
    modules = many(folder, MODULES)
    compare(
        f"the checks of {MODULES} modules, serial and with -n2",
        lambda: seconds(folder, *modules),
        lambda: seconds(folder, "-n2", *modules),
        rounds,
    )


def many(folder: Path, count: int) -> list[str]:
    """Write modules, and return the options that name them."""
    for number in range(count):
        module = folder / "modules" / f"m{number:03}"
        module.mkdir(parents=True, exist_ok=True)
        backend = 'terraform {\n  backend "azurerm" {}\n}\n'
        (module / "main.tf").write_text(backend + MODULE, encoding="utf-8")
    return [f"--tf-module=modules/m{number:03}" for number in range(count)]


def growth(folder: Path) -> None:
    """Print what one more module costs in a run of few and of many, for one check each."""
    before, last = 0, 0.0
    for count in (1, 10, 50, 100):
        taken = seconds(folder, "--tf-check=no_cached_credentials", *many(folder, count))
        each = (taken - last) / (count - before)
        print(f"{count:4} modules, one check each: {taken:7.2f} s, {each:.3f} s for each more")
        before, last = count, taken


def main() -> None:
    """Print each row."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if shutil.which("terraform") is None:
        raise SystemExit("There is no Terraform on PATH, which the others need.")
    with tempfile.TemporaryDirectory() as name:
        deployments(Path(name), rounds)
        workers(Path(name), rounds)
        growth(Path(name))


if __name__ == "__main__":
    main()
