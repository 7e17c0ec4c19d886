"""Compare the outcomes of run blocks: plain `terraform test` against `pytest --tf-module`.

Run it as a script with folders of modules, such as Terraform's internal/command/testdata/test; each
folder in them that holds test files is compared in a copy. It prints a line for each: equal,
different and how, or that plain Terraform could not initialize it, and ours did not either.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pytest_tfoidc.terraform.executable import Executable, find_executable
from pytest_tfoidc.terraform.module import has_test_files

Outcomes = dict[str, str]
ERROR = "error"
NOT_INITIALIZED = "(init)"
WORDS = {"failure": "fail", "error": ERROR, "skipped": "skip"}


def plain(executable: Executable, folder: Path) -> Outcomes:
    """Return what `terraform test` says of each run, by FILE::RUN."""
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    environment.pop("TF_CLI_CONFIG_FILE", None)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*executable.argv, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    if run("init", "-backend=false", "-input=false").returncode:
        return {NOT_INITIALIZED: ERROR}
    return dict(_told(run("test", "-json").stdout))


def _told(printed: str) -> Iterator[tuple[str, str]]:
    for line in printed.splitlines():
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            run = message.get("test_run")
            if run and run.get("progress", "complete") == "complete":
                yield f"{run['path']}::{run['run']}", run.get("status", "")


def ours(executable: Executable, folder: Path, temp: Path) -> Outcomes:
    """Return what pytest says of each run, by FILE::RUN."""
    report = temp / "report.xml"
    name = "embedded" if executable.embedded else executable.argv[0]
    line = [sys.executable, "-m", "pytest", f"--tf-module={folder}", "--tf-check=none"]
    line += [f"--tf-executable={name}", f"--junitxml={report}", f"--rootdir={folder}"]
    line += ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:terraform", "-q"]
    environment = {**os.environ, "TMPDIR": str(temp)}
    environment.pop("PYTEST_ADDOPTS", None)
    subprocess.run(line, cwd=folder, env=environment, capture_output=True, timeout=300, check=False)
    if not report.is_file():
        return {NOT_INITIALIZED: ERROR}
    return dict(_reported(report))


def _reported(report: Path) -> Iterator[tuple[str, str]]:
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own report
        words = [WORDS[child.tag] for child in case if child.tag in WORDS]
        yield f"{case.get('classname')}::{case.get('name')}", words[0] if words else "pass"


def verdict(expected: Outcomes, found: Outcomes) -> str:
    """Say in a few words whether two outcomes are the same; a file's own error may be ours alone.

    Args:
        expected: Plain Terraform's.
        found: Ours.
    """
    by_run = {_short(name): status for name, status in found.items()}
    if NOT_INITIALIZED in expected or not expected:
        failed = not found or all(status == ERROR for status in found.values())
        return "equal (nothing could be run)" if failed else f"different: only ours ran {by_run}"
    wanted = {_short(name): status for name, status in expected.items()}
    differing = [
        f"{name}: plain {status}, ours {by_run.get(name, 'missing')}"
        for name, status in wanted.items()
        if by_run.get(name, "missing") != status
    ]
    return f"different: {'; '.join(differing)}" if differing else f"equal ({len(wanted)} runs)"


def _short(name: str) -> str:
    """Return the last part of the file's name without its endings, and the run."""
    file, _, run = name.partition("::")
    return f"{Path(file).name.split('.')[0].rpartition('/')[2]}::{run}"


def compare(executable: Executable, module: Path) -> str:
    """Return the verdict on one folder; both work on a copy of their own."""
    outcomes = []
    for way in (plain, ours):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "copy" / module.name
            shutil.copytree(module, folder, symlinks=True)
            if way is plain:
                outcomes.append(plain(executable, folder))
            else:
                outcomes.append(ours(executable, folder, Path(name)))
    return verdict(*outcomes)


def main() -> int:
    """Print a line for each folder, and the sums; 1 where one is different."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="+", type=Path)
    parser.add_argument("--tf-executable", default=None)
    options = parser.parse_args()
    executable = find_executable(options.tf_executable, os.environ)
    print(executable)
    counted: Counter[str] = Counter()
    for folder in options.folder:
        for module in sorted(one for one in (folder, *folder.iterdir()) if one.is_dir()):
            if has_test_files(module):
                said = compare(executable, module.resolve())
                counted[said.partition(" ")[0].rstrip(":")] += 1
                print(f"{module.name}: {said}", flush=True)
    print(", ".join(f"{number} {word}" for word, number in sorted(counted.items())))
    return 1 if counted["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
