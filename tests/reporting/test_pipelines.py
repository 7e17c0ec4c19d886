"""The words for agents: nothing in it is obeyed, and it is read back as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.events import ItemFinished
from pytest_tfoidc.pipelinekinds import AZURE_PIPELINES, GITHUB, agent_name
from pytest_tfoidc.reporting.pipelines import (
    Place,
    issue_command,
    markdown_of,
    progress_command,
    terraform_place,
)
from pytest_tfoidc.reporting.progress import Running

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
