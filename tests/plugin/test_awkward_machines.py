"""Machines that lack something: a run succeeds there, or says in one message what is missing."""

from __future__ import annotations

import html
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.project_kit import Project, text_of

DELAYED = ("--tf-module", "module", "--tf-check=delayed_apply")
MODULE_TREE = ("main.tf", "sub", "sub/template.txt")
NO_BYPASS = (  # root may read and write everything, unless it gives that right up
    *("setpriv", "--bounding-set", "-dac_override,-dac_read_search"),
    *("--inh-caps", "-dac_override,-dac_read_search"),
)
FULL = """
mount -t tmpfs -o size=2m tmpfs {temp} || exit 99
{pytest} {options}
code=$?
rm -f {temp}/filled
ls -A {temp}
exit $code
"""


def pytest_line(project: Project, *options: str) -> str:
    terraform = os.environ.get("TFOIDC_TEST_EXECUTABLE")
    chosen = [f"--tf-executable={terraform}"] if terraform else []
    plugins = ("no:cacheprovider", "no:randomly", "no:terraform")
    line = [sys.executable, "-m", "pytest", *(f"-p{name}" for name in plugins)]
    return shlex.join([*line, *chosen, "--rootdir", str(project.path), *options])


def shell(script: str, project: Project, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, "sh", "-c", script],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def in_own_mounts(script: str, project: Project) -> subprocess.CompletedProcess[str]:
    """Run a script that mounts; the test is skipped where this machine allows none."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here")
    done = shell(script, project, *("unshare", "--mount", "--map-root-user"))
    if done.returncode == 99 or done.stderr.startswith("unshare:"):
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    return done


def test_a_read_only_module_in_a_read_only_folder(project: Project) -> None:
    module = project.module(files={"sub/template.txt": "text"})
    for path in MODULE_TREE:
        (module / path).chmod(0o555 if (module / path).is_dir() else 0o444)
    for folder in (module, project.path):
        folder.chmod(0o555)
    try:
        rights = NO_BYPASS if os.geteuid() == 0 and shutil.which(NO_BYPASS[0]) else ()
        done = shell(f"touch module/x || {pytest_line(project, *DELAYED)}", project, *rights)
        if (module / "x").exists():
            pytest.skip("rights cannot be taken away here")
    finally:
        for folder in (project.path, module, module / "sub"):
            folder.chmod(0o755)
    assert "1 passed" in done.stdout, done.stdout
    assert sorted(str(p.relative_to(module)) for p in module.rglob("*")) == sorted(MODULE_TREE)


@pytest.mark.parametrize("command", ["init", "apply"])
def test_a_disk_that_gets_full_is_told_as_that(project: Project, command: str) -> None:
    project.module()
    fill = f'[ "$1" != {command} ] || dd if=/dev/zero of="$TMPDIR/filled" 2>/dev/null'
    wrapper = f"--tf-executable={project.wrapper(fill)}"
    line = pytest_line(project, *DELAYED, wrapper)
    temp = shlex.quote(str(project.temp))
    done = in_own_mounts(FULL.format(temp=temp, pytest=line, options=""), project)
    if command == "apply" and done.returncode == 0:
        assert "1 passed" in done.stdout  # what Terraform needed had room before
    else:
        assert f"Cause: The disk of {project.temp} is full: 0 KB are left." in done.stdout
        assert "Remedy: Make room on that disk, or set TMPDIR" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("====")  # and nothing that `ls` has found


ASK = """
import time, urllib.request
started = time.monotonic()
try:
    url = "https://management.azure.com/metadata/endpoints?api-version=2022-09-01"
    with urllib.request.urlopen(url) as answer:
        print("answered", answer.status)
except OSError as error:
    print("failed", error)
print("in time" if time.monotonic() - started < 20 else "too late")
"""
ASK_TOKEN = """
import os, time, urllib.request
started = time.monotonic()
try:
    url = os.environ["ARM_OIDC_REQUEST_URL"]
    bearer = f"Bearer {os.environ['ARM_OIDC_REQUEST_TOKEN']}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": bearer})):
        print("answered")
except OSError as error:
    print("failed", error.read().decode())
print("in time" if time.monotonic() - started < 20 else "too late")
"""


@pytest.mark.parametrize("has_proc", [True, False])
@pytest.mark.parametrize("program", [ASK, ASK_TOKEN], ids=["azure", "token"])
def test_a_disk_that_gets_full_costs_no_retries(
    project: Project, program: str, *, has_proc: bool
) -> None:
    """A host's certificate needs no file where there are descriptors by name."""
    temp = shlex.quote(str(project.temp))
    (project.path / "ask.py").write_text(program)
    inside = f"dd if=/dev/zero of={temp}/filled 2>/dev/null; {sys.executable} ask.py"
    lines = (
        f"mount -t tmpfs -o size=1m tmpfs {temp} || exit 99",
        ":" if has_proc else "mount -t tmpfs tmpfs /proc || exit 99",
        shlex.join([sys.executable, "-m", "pytest_tfoidc.cli", "mock", "--", "sh", "-c", inside]),
    )
    done = in_own_mounts("\n".join(lines), project)
    assert ("answered" if has_proc else "507") in done.stdout, done.stdout + done.stderr
    assert "in time" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_command_that_fails_beside_an_empty_disk_does_not_blame_it(project: Project) -> None:
    project.module()
    result = project.run(*DELAYED, executable=project.wrapper('[ "$1" != init ] || exit 1'))
    result.assert_outcomes(failed=1)
    assert "full" not in text_of(result)


@pytest.mark.parametrize(
    ("check", "what"),
    [
        ("no_cached_credentials", "The plan cannot be read."),
        ("delayed_apply", "This machine cannot go on: Too many open files."),
    ],
)
def test_no_more_open_files(project: Project, check: str, what: str) -> None:
    project.module()
    options = ("--tf-module", "module", f"--tf-check={check}", "--showlocals")
    result = project.run(*options, *project.plant("few_files"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([what, "Cause: *Too many open files*"])
    result.stdout.fnmatch_lines(["Remedy: Raise the limit of open files (ulimit -n 1024)."])
    for internal in ("Traceback", "Error: ", ".py:"):
        assert internal not in text_of(result)


@pytest.mark.parametrize("limit", [20, 64])
def test_a_low_limit_of_open_files(project: Project, limit: int) -> None:
    project.module()
    done = shell(f"ulimit -n {limit}; {pytest_line(project, *DELAYED)}", project)
    if limit == 64:
        assert "1 passed" in done.stdout, done.stdout + done.stderr
    else:
        assert "No program can be started on this machine." in done.stderr
        assert "Cause: Too many open files\nRemedy: Raise the limit of open files" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_a_umask_that_denies_us_our_own_files(project: Project) -> None:
    project.module()
    rights = NO_BYPASS if os.geteuid() == 0 and shutil.which(NO_BYPASS[0]) else ()
    done = shell(f"umask 0777; {pytest_line(project, *DELAYED)}", project, *rights)
    if "passed" in done.stdout:
        pytest.skip("rights cannot be taken away here")
    assert "Cause: Permission denied" in done.stderr
    assert "Remedy: Make the temporary folder writable" in done.stderr


@pytest.mark.parametrize("mask", ["000", "077"])
def test_whatever_is_written_is_private_whatever_the_umask(project: Project, mask: str) -> None:
    project.module()
    found = project.path / "open.txt"
    private = r"-mindepth 1 \( -type d ! -perm /077 -prune \)"  # nobody gets in there
    look = f'find "$TMPDIR" {private} -o -type f -perm /077 -print >> {found}'
    wrapper = project.wrapper(f'{look}; [ "$1" != apply ] || touch "$TMPDIR/tfoidc-planted"')
    line = pytest_line(project, *DELAYED, f"--tf-executable={wrapper}")
    done = shell(f"umask {mask}; {line}", project)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    planted = {str(project.temp / "tfoidc-planted")}  # the search finds what is open
    assert set(found.read_text().splitlines()) == (planted if mask == "000" else set())
    (project.temp / "tfoidc-planted").unlink()


@pytest.mark.parametrize("streams", ["<&-", "</dev/null"])
def test_without_a_standard_input(project: Project, streams: str) -> None:
    project.module()
    done = shell(f"{pytest_line(project, *DELAYED)} {streams}", project)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_without_a_home_and_without_proc(project: Project) -> None:
    project.module()
    hide = "mount -t tmpfs tmpfs /proc || exit 99; [ ! -e /proc/self ] || exit 98; unset HOME"
    done = in_own_mounts(f"{hide}; {pytest_line(project, *DELAYED)}", project)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_clock_that_is_set_back_while_a_run_goes_on(project: Project) -> None:
    project.module()
    fault = project.plant("clock_set_back")
    result = project.run(*fault, "--tf-module", "module", "--tf-report=report.html")
    result.assert_outcomes(passed=5)


NAMES = {
    "letters": "módulo-ü".encode(),
    "not UTF-8": b"m\xff\xfe",
    "shell": b"a b'c\"d$(e);*",
    "lines": b"a\nb",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("is_old", [False, True], ids=["utf-8", "locale-C"])
def test_a_module_of_any_name(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: bytes, *, is_old: bool
) -> None:
    if is_old:  # a locale in which Python reads names as ASCII
        for variable, value in (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
            monkeypatch.setenv(variable, value)
    summary = project.path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    folder = project.module().rename(os.fsdecode(os.fsencode(project.path) + b"/" + name))
    reports = [project.path / f"report.{ending}" for ending in ("html", "md", "json", "svg")]
    options = [*(f"--tf-report={one}" for one in reports), "--tf-context=mock"]
    line = pytest_line(project, "--tf-events=events.jsonl", "--tf-check=delayed_apply", *options)
    done = subprocess.run(
        [*shlex.split(line), "--tf-module", os.fsencode(folder.name)],
        cwd=project.path,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert b"1 passed" in done.stdout, done.stdout + done.stderr
    shown = name.decode("utf-8", "replace").split("\n")[0].split("'")[0]
    for file in (*reports[:2], summary):
        assert shown in html.unescape(file.read_text("utf-8")), file
    assert all(report.read_text("utf-8") for report in reports)
    assert (project.path / "events.jsonl").read_text("ascii")
    assert project.left_over() == []


@pytest.mark.parametrize("module", ["module", "."])
def test_a_module_in_a_folder_with_brackets(
    project: Project, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    folder = project.module("of [x]/module")
    monkeypatch.chdir(folder if module == "." else folder.parent)
    result = project.run("--tf-module", module, "--tf-check=delayed_apply")
    result.assert_outcomes(passed=1)
