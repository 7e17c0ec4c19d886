"""Terraform's diagnostics, and the one line that stands for each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.diagnostics import (
    LONGEST,
    Diagnostic,
    before_diagnostics,
    diagnostics_in,
    failing_checks,
    read_diagnostic,
    sentence,
)

VALIDATION = {  # as `terraform plan -json` prints it
    "severity": "error",
    "summary": "Invalid value for variable",
    "detail": "env must be dev or prod\n\n"
    "This was checked by the validation rule at variables.tf:4,3-13.",
    "range": {"filename": "variables.tf", "start": {"line": 1, "column": 1, "byte": 0}},
    "snippet": {
        "code": 'variable "env" {',
        "values": [{"traversal": "var.env", "statement": 'is "qa"'}],
    },
}
REGISTRY = """\
Initializing the backend...
Initializing provider plugins...
- Finding latest version of hashicorp/azurerm...

Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
hashicorp/azurerm: could not connect to registry.terraform.io: failed to
request discovery document: Get
"https://registry.terraform.io/.well-known/terraform.json": proxyconnect tcp:
dial tcp 127.0.0.1:9: connect: connection refused
"""
FRAMED = """\
╷
│ Warning: Unable to open CLI configuration file
│
│ The CLI configuration file does not exist.
╵
╷
│ Error: Reference to undeclared input variable
│
│   on main.tf line 2, in resource "terraform_data" "x":
│    2:  input = var.nope
│     ├────────────────
│     │ var.other is "qa"
│
│ An input variable with the name "nope" has not been declared. This variable
│ can be declared with a variable "nope" {} block.
╵
"""


def headline(summary: str, detail: str = "", *, file: str = "main.tf", line: int = 12) -> str:
    diagnostic = Diagnostic(severity="error", summary=summary, detail=detail, file=file, line=line)
    return diagnostic.headline


def test_a_rule_of_the_users_is_told_in_the_users_words_and_at_its_own_place() -> None:
    read = read_diagnostic(VALIDATION)
    assert read is not None
    assert read.headline == "env must be dev or prod (variables.tf:4)"
    lines = read.described.splitlines()
    assert lines[:4] == [
        "Error: Invalid value for variable",
        "  on variables.tf line 1",
        '    variable "env" {',
        '      var.env is "qa"',
    ]


@pytest.mark.parametrize(
    ("summary", "detail", "expected"),
    [
        ("Resource precondition failed", "The zone is closed.", "The zone is closed (main.tf:12)"),
        (
            "Invalid value for input variable",
            (
                "The given value is not suitable for var.n declared at variables.tf:7,1-15:"
                " a number is required."
            ),
            "var.n: a number is required (variables.tf:7)",
        ),
        (
            "No value for required variable",
            (
                'The root module input variable "env" is not set, and has no default value. Use a'
                " -var or -var-file command line argument to provide a value for this variable."
            ),
            (
                'The root module input variable "env" is not set, and has no default value'
                " (main.tf:12)"
            ),
        ),
        (
            (
                "creating Group: unexpected status 403 (403 Forbidden) with error:"
                " AuthorizationFailed: The client 'x' does not have authorization. Ask."
            ),
            "",
            "AuthorizationFailed: The client 'x' does not have authorization (main.tf:12)",
        ),
        (
            "listing blobs",
            (
                "unexpected status 404 (404 The specified container does not exist.) with"
                " ContainerNotFound: The specified container does not exist.\nRequestId:1"
            ),
            "ContainerNotFound: The specified container does not exist (main.tf:12)",
        ),
        (
            "Creating group",
            (
                "GroupsClient.BaseClient.Post(): unexpected status 403 with OData error:"
                " Authorization_RequestDenied: Insufficient privileges to complete it."
            ),
            "Authorization_RequestDenied: Insufficient privileges to complete it (main.tf:12)",
        ),
        (
            "reading it: unexpected status 429 (429 Too Many Requests) with response: Busy",
            "",
            (
                "reading it: unexpected status 429 (429 Too Many Requests) with response: Busy"
                " (main.tf:12)"
            ),
        ),
        (
            (
                'autorest/azure: Service returned an error. Status=404 Code="ContainerNotFound"'
                ' Message="The specified container does not exist.\\nRequestId:1"'
            ),
            "",
            "ContainerNotFound: The specified container does not exist (main.tf:12)",
        ),
        (
            "creating X: polling failed: the Azure API returned the following error:",
            'Status: "SkuNotAvailable"\nCode: ""\nMessage: "The size is sold out. Wait."',
            "SkuNotAvailable: The size is sold out (main.tf:12)",
        ),
        (
            "Failed to create/update resource",
            (
                "PUT https://management.azure.com/x\nRESPONSE 409: 409\nERROR CODE: SkuNotAvailable"
                '\n{"error": {"code": "SkuNotAvailable", "message": "The SKU is sold out. Wait."}}'
            ),
            "SkuNotAvailable: The SKU is sold out (main.tf:12)",
        ),
        (
            "building account",
            (
                'status 401 with response: {"error_description": "AADSTS900001: Something new.'
                ' Trace ID: 7 Correlation ID: 8 Timestamp: 2026-01-01"}'
            ),
            "AADSTS900001: Something new (main.tf:12)",
        ),
    ],
)
def test_what_is_wrong_comes_before_the_kind_of_thing_that_went_wrong(
    summary: str, detail: str, expected: str
) -> None:
    assert headline(summary, detail) == expected


def test_a_summary_alone_and_no_place_make_a_line_as_well() -> None:
    assert headline("It broke.", file="", line=0) == "It broke"


def test_a_file_without_a_line_is_a_place() -> None:
    assert headline("It broke", file="the values of --tf-var", line=0) == (
        "It broke (the values of --tf-var)"
    )


def test_what_init_prints_for_people_is_read_as_well() -> None:
    (found,) = diagnostics_in(REGISTRY)
    assert found.summary == "Failed to query available provider packages"
    assert "proxyconnect tcp:\ndial tcp" in found.detail
    assert before_diagnostics(REGISTRY).endswith("version of hashicorp/azurerm...")


def test_frames_warnings_sources_and_values_are_read() -> None:
    warning, error = diagnostics_in(FRAMED)
    assert not warning.is_error
    assert (error.file, error.line, error.code) == ("main.tf", 2, " input = var.nope")
    assert error.values == ('var.other is "qa"',)
    assert error.headline == (
        'An input variable with the name "nope" has not been declared (main.tf:2)'
    )


def test_a_text_without_a_diagnostic_has_none() -> None:
    assert diagnostics_in("All is well.\nNo Error: here") == ()


@given(st.text(), st.text())
def test_every_headline_is_one_line_of_a_bearable_length(summary: str, detail: str) -> None:
    line = headline(summary, detail)
    assert len(line.splitlines()) <= 1
    assert len(line) <= LONGEST + len(" … (main.tf:12)")


@given(st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    diagnostics_in(text)
    before_diagnostics(text)


SENSITIVE = "This check failed, but has an invalid error message as described in the other"


@pytest.mark.parametrize(
    ("summary", "detail", "expected"),
    [
        (
            "Unsupported argument",
            'An argument named "keyy" is not expected here. Did you mean "key"?',
            'An argument named "keyy" is not expected here; did you mean "key"? (main.tf:12)',
        ),
        (
            "Duplicate variable declaration",
            'A variable named "a" was already declared at main.tf:1,1-13. Variable names\nmust be',
            'A variable named "a" was already declared at main.tf:1,1-13 (main.tf:12)',
        ),
        (
            "Invalid for_each argument",
            'The "for_each" set includes values that are known later, and so Terraform cannot.',
            (
                'The "for_each" set includes values that are known later, and so Terraform cannot'
                " (main.tf:12)"
            ),
        ),
        (
            "Resource precondition failed",
            f"{SENSITIVE} accompanying messages.",
            (
                "Resource precondition failed, and its error message names a sensitive value, so it"
                " is not shown (main.tf:12)"
            ),
        ),
        (
            "Test assertion failed",
            "",
            (
                "Test assertion failed, and its error message names a sensitive value, so it is not"
                " shown (main.tf:12)"
            ),
        ),
        ("Duplicate name", "", "Duplicate name (main.tf:12)"),
        (
            "creating Group",
            'The name "a" is taken. Did you try?',
            'creating Group: The name "a" is taken (main.tf:12)',
        ),
    ],
)
def test_what_the_user_looks_for_is_not_behind_the_kind_of_mistake(
    summary: str, detail: str, expected: str
) -> None:
    assert headline(summary, detail) == expected


CHECK = {
    "severity": "warning",
    "summary": "Check block assertion failed",
    "detail": "The service does not answer.",
    "range": {"filename": "main.tf", "start": {"line": 6}},
    "snippet": {"context": 'check "health"', "code": "condition = false"},
}


def test_a_failing_check_block_is_read_once_and_a_mere_warning_is_none() -> None:
    undecided = {**CHECK, "summary": "Check block assertion known after apply"}
    deprecated = {**CHECK, "snippet": {"context": 'resource "a" "b"'}}
    error = {**CHECK, "severity": "error"}
    assert failing_checks([CHECK, undecided, CHECK, deprecated, error, {}]) == (
        "The service does not answer (main.tf:6)",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the registry is out of reach", "The registry is out of reach"),
        ("a disk is full", "A disk is full"),
        ("acme/none is in no mirror", "acme/none is in no mirror"),
        ("rg-hub does not exist", "rg-hub does not exist"),
        ("`x` is there", "`x` is there"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_and_a_name_as_it_is_written(
    text: str, expected: str
) -> None:
    assert sentence(text) == expected
