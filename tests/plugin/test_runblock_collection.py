"""Which run blocks are collected, in which order, by whom; and what is wrong with a test file."""

from __future__ import annotations

import os
import re

import pytest

from tests.project_kit import Project, text_of
from tests.runs_kit import copy_module, run_module, write_many

NAMES = ("runs_same_names", "runs_shared_state", "runs_passing", "runs_json")
SPLIT = """
from xdist.scheduler import LoadScheduling


def pytest_xdist_make_scheduler(config, log):
    return LoadScheduling(config, log)
"""
BAD = {
    "syntax": 'run "a" {\n  command = = plan\n}\n',
    "duplicate": 'run "a" {}\n\nrun "a" {}\n',
    "name": 'run "a b" {}\n',
}


def of_workers(result: pytest.RunResult) -> dict[str, set[str]]:
    """Return the workers that each file was run by."""
    found: dict[str, set[str]] = {}
    for line in result.outlines:
        if match := re.match(r"\[(gw\d)\] .*(?:PASSED|FAILED)\S* (?:\(.*?\) )?(\S+?)::", line):
            found.setdefault(match[2], set()).add(match[1])
    return found


@pytest.mark.parametrize("distribution", ["load", "loadgroup", "loadfile"])
def test_the_runs_of_a_file_stay_on_one_worker(project: Project, distribution: str) -> None:
    modules = [f"--tf-module={copy_module(project, name).name}" for name in NAMES]
    result = project.run(*modules, "--tf-check=none", "-n2", f"--dist={distribution}", "-v")
    result.assert_outcomes(passed=11, failed=2)
    workers = of_workers(result)
    assert len(workers) == 5
    assert all(len(names) == 1 for names in workers.values())
    assert len(set.union(*workers.values())) == 2


def test_a_file_that_is_split_over_workers_still_has_the_right_outcomes(project: Project) -> None:
    (project.path / "conftest.py").write_text(SPLIT)
    modules = [f"--tf-module={copy_module(project, name).name}" for name in NAMES]
    result = project.run(*modules, "--tf-check=none", "-n2", "-v")
    result.assert_outcomes(passed=11, failed=2)
    assert any(len(names) == 2 for names in of_workers(result).values())  # the negative control


def test_shuffled_runs_are_put_back_into_the_files_order(project: Project) -> None:
    copy_module(project, "runs_shared_state")
    write_many(copy_module(project, "runs_many"), 20)
    modules = ("--tf-module=runs_shared_state", "--tf-module=runs_many")
    result = project.run_plain(*modules, "--tf-check=none", "-v", "--randomly-seed=7")
    result.stdout.fnmatch_lines(["Using --randomly-seed=7"])
    result.assert_outcomes(passed=23)
    told = re.findall(r"many\.tftest\.hcl::run_(\d+) PASSED", text_of(result))
    assert told == [str(number) for number in range(20)]


def test_a_run_is_selected_by_its_id_and_by_k_and_the_runs_before_it_are_made(
    project: Project,
) -> None:
    _, arguments = run_module(project, "runs_shared_state")
    file = "runs_shared_state/tests/shared.tftest.hcl"
    by_id = project.run(*arguments, f"{file}::replaces_what_has_changed", "-v")
    by_id.assert_outcomes(passed=1)
    by_k = project.run(*arguments, "-k", "keeps", "-v")
    by_k.assert_outcomes(passed=1, deselected=2)


def test_files_that_do_not_parse_are_collection_errors_with_their_place(project: Project) -> None:
    module = project.module(main='variable "x" {\n  default = 1\n}\n')
    (tests := module / "tests").mkdir()
    for name, text in BAD.items():
        (tests / f"{name}.tftest.hcl").write_text(text, encoding="utf-8")
    (tests / "latin.tftest.hcl").write_bytes('run "größe" {}'.encode("latin-1"))
    (tests / "dangling.tftest.hcl").symlink_to("nowhere")
    (tests / "folder.tftest.hcl").mkdir()
    (tests / "large.tftest.hcl").write_text("# comment\n" * 500_000 + 'run "a" {\n')
    result = project.run("--tf-module=module", "--tf-check=none")
    result.assert_outcomes(errors=6)  # a folder is none of Terraform's files
    text = text_of(result)
    assert re.search(r"tests/syntax\.tftest\.hcl:2:13", text)
    assert re.search(r"tests/duplicate\.tftest\.hcl:3:1", text)
    assert re.search(r"tests/name\.tftest\.hcl:1:1", text)
    assert re.search(r"latin\.tftest\.hcl:1:\d+(.|\n)*UTF-8", text)
    assert "a link to a file that is not there (nowhere)" in text
    assert re.search(r"large\.tftest\.hcl:50000\d:", text)
    assert "Traceback" not in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_collection_error(project: Project) -> None:
    module = project.module(files={"tests/a.tftest.hcl": 'run "a" {}\n'})
    (module / "tests/a.tftest.hcl").chmod(0)
    result = project.run("--tf-module=module", "--tf-check=none")
    result.assert_outcomes(errors=1)
    assert "Permission denied" in text_of(result)


def test_an_unknown_function_is_an_error_that_names_it(project: Project) -> None:
    run = (
        'run "a" {\n  assert {\n    condition = nofunction(var.x)\n    error_message = "x"\n  }\n}'
    )
    main = 'variable "x" {\n  default = 1\n}\n'
    project.module(main=main, files={"tests/a.tftest.hcl": run})
    result = project.run("--tf-module=module", "--tf-check=none")
    outcomes = result.parseoutcomes()
    assert outcomes.get("passed", 0) == 0
    assert "nofunction" in text_of(result)


def test_an_old_terraform_says_that_it_has_no_test_of_this_kind(project: Project) -> None:
    old = project.path / "terraform"
    old.write_text('#!/bin/sh\necho \'{"terraform_version": "1.5.7"}\'\n')
    old.chmod(0o700)
    run_module(project, "runs_passing")
    result = project.run("--tf-module=runs_passing", "--tf-check=none", executable=old)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*1.5.7 has no `test` of this kind.", "*came with Terraform 1.6*"])


def test_another_test_directory_takes_the_place_of_tests(project: Project) -> None:
    main = 'variable "x" {\n  default = 1\n}\n'
    files = {"checks/a.tftest.hcl": 'run "a" {}\n', "tests/b.tftest.hcl": 'run "b" {}\n'}
    project.module(main=main, files=files)
    arguments = ("--tf-module=module", "--tf-check=none", "-v")
    result = project.run(*arguments, "--tf-test-directory=checks")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["module/checks/a.tftest.hcl::a PASSED*"])
    outside = project.run(*arguments, "--tf-test-directory=../checks")
    assert outside.ret == pytest.ExitCode.USAGE_ERROR
    outside.stderr.fnmatch_lines(["*must lie inside the module*"])


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--tf-test-jump=nothing=1h", "No run block is meant by this jump."),
        ("--tf-test-jump=plans", "'plans' is no jump."),
        ("--tf-test-jump=plans=soon", "'soon' is not a duration."),
        ("--tf-parallelism=0", "'0' is no number."),
    ],
)
def test_options_that_mean_nothing_are_refused_at_once(
    project: Project, option: str, words: str
) -> None:
    _, arguments = run_module(project, "runs_passing", option)
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}"])
