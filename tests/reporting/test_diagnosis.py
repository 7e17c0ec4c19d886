"""Error texts have their cause and their remedy."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.diagnostics import diagnostics_in, with_place
from pytest_tfoidc.reporting.diagnosis import KNOWN, diagnose

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OLD = (1, 10, 5)
NEW = (1, 15, 5)


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("AADSTS700024: Client assertion is not", "had expired", "leave `oidc_token` out"),
        ("AADSTS700213: No matching", "no federated credential matches", "letter by letter"),
        ("AADSTS7002138: No matching", "no federated credential matches", "letter case"),
        ("AADSTS70021: No matching", "no federated credential matches", "letter by letter"),
        ("AADSTS70025: The client", "has no federated credential", "add one"),
        ("AADSTS700016: Application with", "wrong client id", "ARM_CLIENT_ID"),
        ("AADSTS50027: JWT token is invalid", "not a JWT", "map the variable"),
        ("AADSTS7000215: Invalid client secret", "client secret", "federation needs none"),
        ('Get "?audience=x": unsupported protocol scheme', "request URL is empty", "set ARM_OIDC"),
        ("githubAssertion: received HTTP status 405", "service connection's id is missing", "set"),
        ("adoPipelineAssertion: received HTTP status 401", "refused", "SYSTEM_ACCESSTOKEN"),
        ("nil JWT assertion received from ADOPipeline", "without a token", "body"),
        ("Please run 'az login' to setup account", "was skipped", "ARM_USE_OIDC"),
        ("Error: Backend configuration changed", "another backend configuration", "-reconfigure"),
        ("Error: No value for required variable", "without a value", "--tf-var"),
    ],
)
def test_known_texts_are_explained(text: str, cause: str, remedy: str) -> None:
    found = diagnose(f"Error: something\n\n{text}\nmore", release=NEW)
    assert found is not None
    assert cause in found.cause
    assert remedy in found.remedy


def test_a_text_that_terraform_has_wrapped_is_known_all_the_same() -> None:
    assert diagnose("│ Error: Backend configuration\n│ changed", release=NEW) is not None


def test_a_405_below_the_floor_names_the_versions_that_would_do_it() -> None:
    found = diagnose("received HTTP status 405", release=OLD)
    assert found is not None
    assert "Terraform 1.10.5" in found.cause
    assert "Terraform 1.11.2" in found.cause
    assert "--tf-no-relay" in found.remedy


def test_unknown_texts_are_not_explained() -> None:
    assert diagnose("Error: Unsupported attribute", release=NEW) is None
    assert diagnose("AADSTS7000240: unknown", release=NEW) is None


def test_every_cause_and_remedy_is_a_sentence() -> None:
    for _, cause, remedy in KNOWN:
        assert cause.endswith(".")
        assert remedy.endswith(".")


@given(st.text(), st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 20)))
def test_any_text_can_be_looked_at(text: str, release: tuple[int, int, int]) -> None:
    diagnose(text, release=release)


def test_a_constraint_that_no_version_meets_is_no_registry_out_of_reach() -> None:
    text = """
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
hashicorp/azurerm: no available releases match the given constraints ~> 4.0,
< 5.0
"""
    found = diagnose(text)
    assert found is not None
    assert "no version of hashicorp/azurerm" in found.cause
    assert "(~> 4.0, < 5.0)" in found.cause
    assert "registry" not in str(found)


def test_a_module_without_a_provider_block_is_told_so() -> None:
    text = """
Error: Invalid provider configuration

Provider "registry.terraform.io/hashicorp/azurerm" requires explicit
configuration. Add a provider block to the root module and configure the
provider's required arguments as described in the provider documentation.
"""
    found = diagnose(text)
    assert found is not None
    assert "add a provider block, or test an example of the module" in found.remedy
    assert "out of reach" not in str(found)


# As Terraform 1.11.4 and 1.15.5 printed them, each with a text that only looks like it.
REGISTRY_DEAD = """\
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
hashicorp/azurerm: could not connect to registry.terraform.io: failed to
request discovery document: Get
"https://registry.terraform.io/.well-known/terraform.json": proxyconnect tcp:
dial tcp 127.0.0.1:9: connect: connection refused

To see which modules are currently depending on hashicorp/azurerm and what
versions are specified, run the following command:
    terraform providers
"""
MODULES_DEAD = """\
Error: Error accessing remote module registry

  on main.tf line 1:
   1: module "x" {

Failed to retrieve available versions for module "x" (main.tf:1) from
registry.terraform.io: failed to request discovery document: Get
"https://registry.terraform.io/.well-known/terraform.json": proxyconnect tcp:
dial tcp 127.0.0.1:9: connect: connection refused.
"""
NO_SUCH_PROVIDER = """\
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
hashicorp/azapi: provider registry registry.terraform.io does not have a
provider named registry.terraform.io/hashicorp/azapi
"""
LOCK_FILE = """\
Error: Failed to install provider

Error while installing hashicorp/azurerm v4.1.0: the current package for
registry.terraform.io/hashicorp/azurerm 4.1.0 doesn't match any of the
checksums previously recorded in the dependency lock file; for more
information: https://developer.hashicorp.com/terraform/language/provider-checksum-verification
"""
FORGOTTEN = """\
Error: Backend initialization required, please run "terraform init"

Reason: Initial configuration of the requested backend "azurerm"
"""
NOT_INSTALLED = """\
Error: Module not installed

  on main.tf line 1:
   1: module "x" {

This module is not yet installed. Run "terraform init" to install all modules
required by this configuration.
"""
NO_VALUE = """\
Error: No value for required variable

  on main.tf line 1:
   1: variable "env" {}

The root module input variable "env" is not set, and has no default value.
Use a -var or -var-file command line argument to provide a value for this
variable.
"""
UNDECLARED = """\
Error: Value for undeclared variable

A variable named "foo" was assigned on the command line, but the root module
does not declare a variable of that name. To use this value, add a "variable"
block to the configuration.
"""
PROTECTED = """\
Error: Instance cannot be destroyed

  on main.tf line 1:
   1: resource "terraform_data" "x" {

Resource terraform_data.x has lifecycle.prevent_destroy set, but the plan
calls for this resource to be destroyed.
"""
STATE_UNSUPPORTED = """\
Error: Invalid resource type

  on main.tf line 1:
   1: resource "azurerm_nope" "x" {

The provider registry.terraform.io/hashicorp/azurerm does not support resource
type "azurerm_nope". The connection refused nothing.
"""


CLONE = """\
Error: Failed to download module

Could not download module "x" (main.tf:1) source code from
"git::https://git.example.org/infra/x.git?ref=v1": error downloading
'https://git.example.org/infra/x.git?ref=v1': /usr/bin/git exited with
128: Cloning into '.terraform/modules/x'...
fatal: unable to access 'https://git.example.org/infra/x.git/': CONNECT
tunnel failed, response 403
"""


@pytest.mark.parametrize(
    ("text", "headline", "miss"),
    [
        pytest.param(
            REGISTRY_DEAD,
            "the registry is out of reach, so hashicorp/azurerm could not be had",
            STATE_UNSUPPORTED,
            id="registry",
        ),
        pytest.param(
            MODULES_DEAD,
            "the registry is out of reach, so a provider or a module could not be had (main.tf:1)",
            MODULES_DEAD.replace("failed to request", "has no").partition(": Get")[0],
            id="registry of modules",
        ),
        pytest.param(
            NO_SUCH_PROVIDER,
            "the registry has no provider of this name (hashicorp/azapi)",
            NO_SUCH_PROVIDER.replace("does not have a\nprovider named", "has a provider named"),
            id="provider's name",
        ),
        pytest.param(
            LOCK_FILE,
            "the lock file does not fit the module, or lacks a provider's checksum for this"
            " platform",
            LOCK_FILE.replace("dependency lock file", "shop's ledger"),
            id="lock file",
        ),
        pytest.param(
            FORGOTTEN,
            "the workspace was not initialized",
            FORGOTTEN.replace("Backend initialization required", "Backend required"),
            id="no init",
        ),
        pytest.param(
            NOT_INSTALLED,
            "the workspace was not initialized (main.tf:1)",
            NOT_INSTALLED.replace("Module not installed", "Module not found"),
            id="no init of modules",
        ),
        pytest.param(
            NO_VALUE,
            'No value for required variable: The root module input variable "env" is not set, and'
            " has no default value (main.tf:1)",
            NO_VALUE.replace("required variable", "required argument"),
            id="no value",
        ),
        pytest.param(
            UNDECLARED,
            'Value for undeclared variable: A variable named "foo" was assigned on the command'
            " line, but the root module does not declare a variable of that name",
            UNDECLARED.replace("undeclared variable", "undeclared output"),
            id="undeclared",
        ),
        pytest.param(
            PROTECTED,
            "Instance cannot be destroyed: Resource terraform_data.x has lifecycle.prevent_destroy"
            " set, but the plan calls for this resource to be destroyed (main.tf:1)",
            PROTECTED.replace("Instance cannot", "Instance could"),
            id="prevent_destroy",
        ),
    ],
)
def test_real_texts_are_known_and_near_misses_are_not(text: str, headline: str, miss: str) -> None:
    (diagnostic,) = diagnostics_in(text)
    found = diagnose(diagnostic.text, release=NEW)
    assert found is not None
    said = diagnostic.headline if found.is_plain else with_place(found.headline, diagnostic.place)
    assert said == headline
    (other,) = diagnostics_in(miss)
    assert diagnose(other.text, release=NEW) is None


@pytest.mark.parametrize(
    "said",
    [
        "exit status 22. Output: curl: (22) The requested URL returned error: 403",
        "exit status 56. Output: curl: (56) CONNECT tunnel failed, response 403",
        "exit status 128. Output: fatal: unable to access 'https://x.org/': CONNECT tunnel failed",
        "exit status 4. Output: Proxy tunneling failed: ForbiddenUnable to establish SSL",
        "exit status 1. Output: OSError: Tunnel failed: 403 refused by tfoidc: x.org is neither",
    ],
)
def test_a_host_that_a_program_was_refused_is_told_from_what_we_know(said: str) -> None:
    found = diagnose(f"Error running command 'x': {said}", release=NEW, refused=("x.org", "y.org"))
    assert found is not None
    assert found.headline == "the run asked for x.org and y.org, which the stand-in does not play"
    assert found.remedy.endswith("--tf-allow-host x.org --tf-allow-host y.org.")


def test_a_host_that_was_refused_may_be_why_a_program_failed_and_nothing_else() -> None:
    silent = "local-exec provisioner error: exit status 1. Output:"
    found = diagnose(silent, release=NEW, refused=("x.org",))
    assert found is not None
    assert found.is_plain
    assert "x.org" in found.cause
    assert diagnose(silent, release=NEW) is None
    assert diagnose("Error: something else", release=NEW, refused=("x.org",)) is None


CODES = (700024, 70021, 700211, 700213, 7002138, 700027, 70025, 700016, 90002, 50027, 7000215)


MORE_CODES = (700212, 7000222, 700223, 700238, 70052, 900382, 90061, 50166)
NEAR = 0.5  # of the words


@pytest.mark.parametrize("number", [*CODES, *MORE_CODES])
def test_a_code_is_named_with_its_meaning_and_a_longer_one_is_another(number: int) -> None:
    code = f"AADSTS{number}"
    found = diagnose(f"error_description: {code}: what Entra says. Trace ID: 1", release=NEW)
    assert found is not None
    assert found.headline.startswith(f"{code}: ")
    assert diagnose(f"error_description: {code}987: something else", release=NEW) is None


def entra(code: str) -> str:
    return (
        "Error: building account: could not acquire access token to parse claims:"
        " clientCredentialsToken: received HTTP status 401 with response:"
        f' {{"error":"invalid_client","error_description":"{code}: Said by Entra. Trace ID: 1'
        ' Correlation ID: 2 Timestamp: 2026-05-01 10:00:00Z"}'
    )


def pair_of(one: dict[str, str]) -> tuple[str, str]:
    """Return a real text in one line, and its near miss."""
    real = joined(one["real"])
    assert one["words"] in real
    return real, real.replace(one["words"], one["other"])


def joined(text: str) -> str:
    return " ".join(text.split())


TEXTS = tomllib.loads((Path(__file__).parent / "near_misses.toml").read_text("utf-8"))["text"]
PAIRS = (
    (
        "Error: Error locking state: could not write lock info: no space left on device",
        "Error: Error locking state: could not write lock info: no such file or directory",
    ),
    (
        "Error: Failed to install provider: write .terraform/x: disk quota exceeded",
        "Error: Failed to install provider: write .terraform/x: operation not permitted",
    ),
    (
        "Error: Failed to save state: write x: There is not enough space on the disk.",
        "Error: Failed to save state: write x: There is no file x on the disk.",
    ),
    *map(pair_of, TEXTS),
    *((entra(f"AADSTS{number}"), entra(f"AADSTS{number}9")) for number in (*CODES, *MORE_CODES)),
)


def alternatives(pattern: str) -> list[str]:
    """Return the parts of a pattern between the bars that are in no group."""
    parts, depth, begin = [], 0, 0
    for i, letter in enumerate(pattern):
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and not depth:
            parts.append(pattern[begin:i])
            begin = i + 1
    return [*parts, pattern[begin:]]


RULES = [(part, remedy) for pattern, _, remedy in KNOWN for part in alternatives(pattern)]


@pytest.mark.parametrize(("pattern", "remedy"), RULES)
def test_every_rule_has_a_real_text_that_it_explains_and_a_near_miss_that_it_does_not(
    pattern: str, remedy: str
) -> None:
    """A rule that comes without the two fails here: it may accuse who is innocent."""
    proven = [
        (text, miss)
        for text, miss in PAIRS
        if re.search(pattern, text) and remedy_of(text) == remedy
    ]
    assert proven, f"no text shows what {pattern!r} explains"
    for text, miss in proven:
        assert miss != text
        assert difflib.SequenceMatcher(None, text.split(), miss.split()).ratio() >= NEAR
        assert not re.search(pattern, miss)
        assert remedy_of(miss) != remedy


def test_every_text_shows_a_rule() -> None:
    remedies = {remedy for _, remedy in RULES}
    assert [text for text, _ in PAIRS if remedy_of(text) not in remedies] == []


def remedy_of(text: str) -> str:
    found = diagnose(text, release=NEW)
    return found.remedy if found else ""


def test_a_module_whose_host_was_refused_is_not_told_to_be_out_of_reach() -> None:
    found = diagnose(CLONE, release=NEW, refused=("git.example.org",))
    assert found is not None
    assert found.headline == "the run asked for git.example.org, which the stand-in does not play"
    assert "--tf-allow-host git.example.org." in found.remedy
    for others in ((), ("other.example.org",)):
        found = diagnose(CLONE, release=NEW, refused=others)
        assert found is not None
        assert found.headline.startswith("the source of a module could not be reached")
