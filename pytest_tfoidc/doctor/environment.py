"""The doctor's look at an environment: who would sign in, and what is off with that."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pytest_tfoidc.authvariables import (
    CERTIFICATES,
    CLIENT,
    CONNECTION,
    ID_TOKEN,
    REQUEST_TOKEN,
    REQUEST_URL,
    SECRETS,
    SUBSCRIPTION,
    TASK_ID_TOKEN,
    TENANT,
    USE_AKS,
    USE_CLI,
    USE_MSI,
    USE_OIDC,
)
from pytest_tfoidc.doctor.authorizers import FILES, STATIC
from pytest_tfoidc.doctor.findings import Finding, finding
from pytest_tfoidc.errors import ContextError
from pytest_tfoidc.identity.pipeline import Inspected, PipelineContext, inspect
from pytest_tfoidc.identity.secret import jwt_claims, numeric_date
from pytest_tfoidc.identity.variables import DOMAIN, MACRO, VariableProblem
from pytest_tfoidc.pipelinekinds import FILE, GITHUB, KINDS, MARKERS, ONE_TOKEN, RECORDS
from pytest_tfoidc.withheld import WITHHELD

SOON = timedelta(minutes=15)
OFF = frozenset({"0", "f", "false"})
ON = frozenset({"1", "t", "true"})
TYPO = 0.85  # how alike two names are, from 0 to 1, for one to be the other misspelt

# Beside the names by which they sign in, clients read these; a misspelt one is compared with all.
OTHER_NAMES = (
    "ARM_AUXILIARY_TENANT_IDS",
    "ARM_CLIENT_ID_FILE_PATH",
    "ARM_DISABLE_CORRELATION_REQUEST_ID",
    "ARM_DISABLE_TERRAFORM_PARTNER_ID",
    "ARM_ENDPOINT",
    "ARM_ENVIRONMENT",
    "ARM_METADATA_HOST",
    "ARM_METADATA_HOSTNAME",
    "ARM_PARTNER_ID",
    "ARM_RESOURCE_GROUP_NAME",
    "ARM_RESOURCE_PROVIDERS_TO_REGISTER",
    "ARM_RESOURCE_PROVIDER_REGISTRATIONS",
    "ARM_SKIP_PROVIDER_REGISTRATION",
    "ARM_SNAPSHOT",
    "ARM_STORAGE_ACCOUNT_NAME",
    "ARM_STORAGE_USE_AZUREAD",
    "ARM_TEST_LOCATION",
    "ARM_USE_AZUREAD",
)
SIGN_IN_NAMES = (*REQUEST_TOKEN, *REQUEST_URL, *CONNECTION, *TENANT, *CLIENT, *SUBSCRIPTION)
SWITCHES = (USE_OIDC, USE_AKS)
TOKENS = frozenset(
    name for kind in RECORDS if kind.source == ONE_TOKEN for name in kind.token_names
)
TOKEN_FILES = frozenset(
    name for kind in RECORDS if kind.source == FILE for name in kind.token_names
)
# Where ARM_OIDC_TOKEN is how a job gets its one token, and no mistake.
ONE_TOKEN_MARKERS = tuple(
    name
    for kind in RECORDS
    if kind.source == ONE_TOKEN and ID_TOKEN in kind.token_names
    for name in kind.markers
)
LIKELY = ("ARM_", "SYSTEM_ACC", "SYSTEM_OIDC")
KNOWN_NAMES = sorted(
    name for name in {*WITHHELD, *SIGN_IN_NAMES, *OTHER_NAMES} if name.startswith(LIKELY)
)
READ_BY_CLIENTS = frozenset({*KNOWN_NAMES, *SIGN_IN_NAMES})
# What an environment of ours replaces or withholds anyway: no news in a run with the relay.
NEUTRALISED = frozenset(
    {"TFO115", "TFO120", "TFO121", "TFO122", "TFO123", "TFO128", "TFO129", "TFO130"}
)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """An environment: its context, None where it is no pipeline's or unusable, and what is off."""

    context: PipelineContext | None
    findings: tuple[Finding, ...]


def examine_environment(
    environment: Mapping[str, str],
    *,
    now: datetime,
    wanted: str = "auto",
    id_token_command: Sequence[str] = (),
) -> Examined:
    """Look for what stops a context from being used, or its ID tokens from being refreshed.

    Args:
        environment: The variables.
        now: The time, aware.
        wanted: A kind of pipeline, or `auto`.
        id_token_command: The user's own command that prints an ID token.
    """
    general = (*_literal(environment), *_misspelt(environment), *_rivals(environment))
    try:
        seen = inspect(environment, wanted=wanted, id_token_command=id_token_command)
    except ContextError as error:
        two = finding("TFO106", where=error.where or "--context", what=error.what)
        return Examined(context=None, findings=(two, *general))
    findings = [*(_of(problem, seen) for problem in seen.problems if _is_new(problem, seen))]
    context = seen.context
    if context is not None:
        findings += [*_tokens(context, environment, now), *_identity(context, environment)]
        on = any(environment.get(name, "").strip() for name in SWITCHES)
        if not on:
            findings.append(finding("TFO129", where=USE_OIDC))
    return Examined(
        context=None if seen.problems else context,
        findings=tuple(dict.fromkeys((*findings, *general))),
    )


def misspelt(name: str) -> str | None:
    """Return the name that was meant; None where the name is right, or like none that is known."""
    if not name.startswith(LIKELY) or name in READ_BY_CLIENTS:
        return None
    return next(iter(difflib.get_close_matches(name, KNOWN_NAMES, n=1, cutoff=TYPO)), None)


def _literal(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(READ_BY_CLIENTS | TOKENS):
        if MACRO.fullmatch(environment.get(name, "").strip()):
            yield finding("TFO102", where=name)


def _misspelt(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(environment):
        meant = misspelt(name)
        if meant is not None:
            yield finding("TFO114", where=name, what=f"{name} is misspelt: {meant} is meant.")


def _rivals(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find what wins over refresh, or takes its place."""
    values = {name: value.strip() for name, value in environment.items() if value.strip()}
    in_job = any(name in values for name in MARKERS)
    one_token = any(name in values for name in ONE_TOKEN_MARKERS)
    has_connection = any(name in values for name in CONNECTION)
    only_arm_url = "ARM_OIDC_REQUEST_URL" in values and "SYSTEM_OIDCREQUESTURI" not in values
    found = {
        "TFO115": _named(values, (USE_OIDC,), OFF),
        "TFO120": [] if one_token else _named(values, STATIC),
        "TFO121": _named(values, FILES) if in_job else [],
        "TFO122": _named(values, (*SECRETS, *CERTIFICATES)),
        "TFO123": _named(values, (USE_CLI, USE_MSI), ON),
        "TFO128": ["SYSTEM_OIDCREQUESTURI"] if only_arm_url and has_connection else [],
        "TFO130": _named(values, (TASK_ID_TOKEN,)),
    }
    for number, names in found.items():
        yield from (finding(number, where=name) for name in names)


def _named(
    values: Mapping[str, str], names: Sequence[str], wanted: frozenset[str] | None = None
) -> list[str]:
    """Return the names that are set; with `wanted`, those that are set to one of its words."""
    there = (name for name in names if name in values)
    return [name for name in there if wanted is None or values[name].lower() in wanted]


_NUMBERS = {
    **dict.fromkeys(REQUEST_TOKEN, "TFO101"),
    **dict.fromkeys(REQUEST_URL, "TFO108"),
    **dict.fromkeys(TENANT, "TFO109"),
    **dict.fromkeys(CLIENT, "TFO110"),
    **dict.fromkeys(SUBSCRIPTION, "TFO111"),
    **dict.fromkeys(("ARM_ENVIRONMENT", "AZURE_AUTHORITY_HOST"), "TFO112"),
    **dict.fromkeys(TOKENS, "TFO113"),
    **dict.fromkeys(TOKEN_FILES, "TFO118"),
}


def _is_new(problem: VariableProblem, seen: Inspected) -> bool:
    """Tell whether a problem is more than a literal macro, which is found for every variable."""
    return problem.variable not in seen.literal


def _of(problem: VariableProblem, seen: Inspected) -> Finding:
    number = _NUMBERS.get(problem.variable, "TFO100")
    if problem.variable in CONNECTION:
        context = seen.context
        has_value = context is not None and context.service_connection_id
        number = "TFO105" if has_value else "TFO104"
    elif (
        seen.context is not None and seen.context.kind == GITHUB and "only to jobs" in problem.cause
    ):
        number = "TFO103"
    return finding(number, where=problem.variable, cause=problem.cause)


def _tokens(
    context: PipelineContext, environment: Mapping[str, str], now: datetime
) -> Iterator[Finding]:
    """Look at what the tokens say about themselves."""
    ends_at = context.request_token_expires_at
    request_token = next((n for n in REQUEST_TOKEN if environment.get(n)), "")
    if ends_at is not None and ends_at <= now:
        yield finding("TFO107", where=request_token, cause=f"it died at {_written(ends_at)}")
    elif ends_at is not None and ends_at <= now + SOON:
        yield finding("TFO124", where=request_token, what=f"It dies at {_written(ends_at)}.")
    names = (*_tokens_of(context), *STATIC)
    for name in dict.fromkeys(names):
        token = environment.get(name, "").strip()
        if token and not MACRO.fullmatch(token):
            yield from _static_token(name, token, now)
    if not context.refreshable and context.static_token:
        yield finding("TFO127", where=names[0], what=_one_token(context))
    if context.token_file:
        yield from _token_file(context)


def _tokens_of(context: PipelineContext) -> tuple[str, ...]:
    """Return the variables that hold the one token of such a job."""
    kind = KINDS[context.kind]
    return kind.token_names if kind.source == ONE_TOKEN else ()


def _static_token(name: str, token: str, now: datetime) -> Iterator[Finding]:
    claims = jwt_claims(token)
    if claims is None:
        yield finding("TFO117", where=name)
        return
    expires_at = numeric_date(claims.get("exp"))
    if expires_at is not None and expires_at <= now:
        yield finding("TFO116", where=name, cause=f"it died at {_written(expires_at)}")


def _one_token(context: PipelineContext) -> str:
    ends_at = context.static_token_expires_at
    end = f" It dies at {_written(ends_at)}." if ends_at else ""
    return f"This job has one ID token and cannot get another.{end}"


def _token_file(context: PipelineContext) -> Iterator[Finding]:
    path = Path(context.token_file)
    where = KINDS[context.kind].token_names[0]
    try:
        if path.is_dir():
            yield finding("TFO118", where=where, cause="it names a directory")
        elif not path.is_file():
            yield finding("TFO118", where=where, cause="there is no such file")
        elif not path.stat().st_size:
            yield finding("TFO118", where=where, cause="the file is empty")
    except (OSError, ValueError) as error:
        yield finding("TFO118", where=where, cause=type(error).__name__)


def _identity(context: PipelineContext, environment: Mapping[str, str]) -> Iterator[Finding]:
    if DOMAIN.fullmatch(context.tenant_id):
        name = next((n for n in TENANT if environment.get(n)), TENANT[0])
        yield finding("TFO125", where=name)
    if context.subscription_id is None:
        yield finding("TFO126", where="ARM_SUBSCRIPTION_ID")


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
