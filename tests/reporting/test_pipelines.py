"""The words for agents: nothing in it is obeyed, and it is read back as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.events import ItemFinished
from pytest_tfoidc.pipelinekinds import AZURE_PIPELINES, GITHUB, agent_name
from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.reporting.pipelines import (
    Place,
    change_outputs,
    group_lines,
    issue_command,
    markdown_of,
    output_lines,
    progress_command,
    terraform_place,
)
from pytest_tfoidc.reporting.progress import Running
from pytest_tfoidc.reporting.upgradetable import UpgradeRow

RUNNING = Running(command="apply", module="shop", seconds=30, done=12, planned=40)
HOSTILE = "a\n##vso[task.complete result=Failed;]b\r::error::c;]%0A\x1b[2J|<b>"


def same(text: str) -> str:
    return text


def test_only_pipelines_are_pipelines() -> None:
    assert agent_name({"TF_BUILD": "True"}) == AZURE_PIPELINES
    assert agent_name({"GITHUB_ACTIONS": "true"}) == GITHUB
    assert agent_name({"CI": "true"}) == ""
    assert issue_command("", words="x", place=Place()) == ""


def test_progress_is_for_azure_pipelines_and_for_what_is_known() -> None:
    azure = {"TF_BUILD": "True"}
    told = progress_command(azure, [RUNNING], redact=same)
    assert told == ["##vso[task.setprogress value=30;]shop apply"]
    assert progress_command({"GITHUB_ACTIONS": "true"}, [RUNNING], redact=same) == []
    unknown = Running(command="init", module="shop", seconds=30)
    assert progress_command(azure, [unknown], redact=same) == []


def test_an_issue_has_file_and_line() -> None:
    place = Place(file="shop/main.tf", line=12)
    assert issue_command(AZURE_PIPELINES, words="rg-hub is gone", place=place) == (
        "##vso[task.logissue type=error;sourcepath=shop/main.tf;linenumber=12;]rg-hub is gone"
    )
    assert issue_command(GITHUB, words="rg-hub is gone", place=place) == (
        "::error file=shop/main.tf,line=12::rg-hub is gone"
    )


@given(st.text() | st.just(HOSTILE), st.text() | st.just(HOSTILE))
def test_an_issue_is_one_line_and_one_command(words: str, file: str) -> None:
    place = Place(file=file, line=3)
    azure = issue_command(AZURE_PIPELINES, words=words, place=place)
    github = issue_command(GITHUB, words=words, place=place)
    for line in (azure, github):
        assert "\n" not in line
        assert "\r" not in line
    assert azure.count("##vso[") == 1
    properties = re.fullmatch(r"##vso\[task\.logissue ([^\]]*)\].*", azure)
    assert properties is not None
    assert len([p for p in properties[1].split(";") if p]) in {1, 3}
    assert re.fullmatch(r"::error(?: file=[^:,]*,line=3)?::.*", github)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Error: x\n  on main.tf line 12\n", Place(file="main.tf", line=12)),
        ("env must be dev or prod (variables.tf:4)", Place(file="variables.tf", line=4)),
        ("on tests/a.tftest.hcl line 3, in run", Place(file="tests/a.tftest.hcl", line=3)),
        ("on the machine line 3", Place()),
        ("", Place()),
    ],
)
def test_the_place_is_the_one_that_terraform_names(text: str, place: Place) -> None:
    assert terraform_place(text) == place


def finished(name: str, outcome: str, words: str = "") -> ItemFinished:
    evidence = {"exchanges": 3, "id_tokens": 2, "delay": 1800.0} if outcome == "passed" else {}
    return ItemFinished(
        at=real_now(),
        item=f"{name}::oidc::x",
        outcome=outcome,
        seconds=1.0,
        words=words,
        module=name,
        evidence=evidence,
    )


def test_the_summary_has_what_was_shown_and_what_failed() -> None:
    text = markdown_of([finished("shop", "passed"), finished("shop", "failed", "it is gone")])
    assert "1 failed, 1 passed" in text
    assert "| survived | 30m between plan and apply |" in text
    assert "| shop::oidc::x | it is gone |" in text


def test_nothing_in_a_summary_is_markup_of_others() -> None:
    plain = markdown_of([finished("shop", "passed"), finished("shop", "failed", "x")])
    hostile = markdown_of([finished(HOSTILE, "passed"), finished(HOSTILE, "failed", HOSTILE)])
    assert hostile.count("\n") == plain.count("\n")
    assert hostile.count("|") == plain.count("|")
    assert "<" not in hostile
    assert "##vso[" not in hostile


def row(module: str, step: str, *, has_changes: bool | None) -> UpgradeRow:
    return UpgradeRow(module=module, step=step, has_changes=has_changes)


@pytest.mark.parametrize(
    ("steps", "whole"),
    [
        ((False, False), "false"),
        ((False, True), "true"),
        ((None, True), "true"),
        ((None, False), None),  # nobody knows
        ((None, None), None),
        ((), None),
    ],
)
def test_a_later_step_can_decide_by_whether_a_plan_had_changes(
    steps: tuple[bool | None, ...], whole: str | None
) -> None:
    rows = [row("shop", f"n/p[{i}-{i + 1}]", has_changes=known) for i, known in enumerate(steps)]
    outputs = change_outputs(rows)
    assert outputs.get("changesPresent") == whole
    for i, known in enumerate(steps):
        told = {None: None, True: "true", False: "false"}[known]
        assert outputs.get(f"changesPresent_shop_n_p_{i}_{i + 1}") == told


def test_steps_whose_names_come_to_the_same_have_variables_of_their_own() -> None:
    rows = [row(name, "n/p[1-2]", has_changes=name == "a_b") for name in ("a-b", "a_b", "a/b")]
    outputs = change_outputs(rows)
    assert sorted(outputs.values()) == ["false", "false", "true", "true"]
    assert set(outputs) == {
        "changesPresent",
        *(f"changesPresent_a_b_n_p_1_2{end}" for end in ("", "__2", "__3")),
    }


@given(st.text() | st.just(HOSTILE), st.text() | st.just(HOSTILE))
def test_no_name_of_a_step_can_set_another_variable(module: str, step: str) -> None:
    outputs = change_outputs([row(module, step, has_changes=True)])
    for line in output_lines(AZURE_PIPELINES, outputs):
        begin = r"##vso\[task\.setvariable variable=changesPresent\w*;isOutput=true\]true"
        assert re.fullmatch(begin, line)
    for line in output_lines(GITHUB, outputs):
        assert re.fullmatch(r"changesPresent\w*=true", line)
    assert output_lines("", outputs) == []


@given(st.text() | st.just(HOSTILE))
def test_a_group_is_one_line_that_opens_it_and_one_that_ends_it(name: str) -> None:
    for pipeline, begin in ((AZURE_PIPELINES, "##[group]"), (GITHUB, "::group::")):
        opened, ended = group_lines(pipeline, name)
        assert opened.startswith(begin)
        assert len(opened.splitlines()) == 1
        assert "##" not in opened[len(begin) :] or not re.search(r"##(?:vso)?\[", opened[2:])
        assert ended in {"##[endgroup]", "::endgroup::"}


def unescaped(text: str, *pairs: tuple[str, str]) -> str:
    for escaped, plain in pairs:
        text = text.replace(escaped, plain)
    return text


def read_by_azure(line: str) -> tuple[str, dict[str, str], str]:
    """Read a command as Microsoft's agent does: to the first bracket, then property by property."""
    _, _, command = line.partition("##vso[")
    head, _, message = command.partition("]")
    name, _, listed = head.partition(" ")
    ends = (("%0D", "\r"), ("%0A", "\n"))
    last = ("%AZP25", "%")
    values = (one.partition("=") for one in listed.split(";") if one)
    properties = {k: unescaped(v, ("%3B", ";"), *ends, ("%5D", "]"), last) for k, _, v in values}
    return name, properties, unescaped(message, *ends, last)


def read_by_github(line: str) -> tuple[str, dict[str, str], str]:
    """Read a command as GitHub's runner does: to the second pair of colons."""
    head, _, message = line.removeprefix("::").partition("::")
    name, _, listed = head.partition(" ")
    ends = (("%0D", "\r"), ("%0A", "\n"))
    last = ("%25", "%")
    values = (one.partition("=") for one in listed.split(",") if one)
    properties = {k: unescaped(v, *ends, ("%3A", ":"), ("%2C", ","), last) for k, _, v in values}
    return name, properties, unescaped(message, *ends, last)


@given(st.text() | st.just(HOSTILE), st.text(min_size=1) | st.just(HOSTILE))
def test_agents_read_what_was_meant(words: str, file: str) -> None:
    place, told, name = Place(file=file, line=3), harmless(words), harmless(file)
    azure = issue_command(AZURE_PIPELINES, words=words, place=place)
    expected = {"type": "error", "sourcepath": name, "linenumber": "3"}
    assert read_by_azure(azure) == ("task.logissue", expected, told)
    github = issue_command(GITHUB, words=words, place=place)
    assert read_by_github(github) == ("error", {"file": name, "line": "3"}, told)
    (line,) = output_lines(AZURE_PIPELINES, {"changesPresent": "true"})
    read = ("task.setvariable", {"variable": "changesPresent", "isOutput": "true"}, "true")
    assert read_by_azure(line) == read
