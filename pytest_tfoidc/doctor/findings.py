"""The findings of the doctor: a catalogue with stable ids, each with its cause and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS_MAPPING, GITHUB_PERMISSION
from pytest_tfoidc.refreshfloors import PROVIDERS, TERRAFORM, floor_of, floors_of

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

MAPPING = " ".join(AZURE_DEVOPS_MAPPING.split())
PERMISSION = " ".join(GITHUB_PERMISSION.split())
REFRESH_ONLY = "Take it out: the request URL and the request token in the environment are enough."


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of finding."""

    id: str
    severity: Severity
    what: str
    cause: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is off. `where`: the variable, or the file and its line."""

    id: str
    severity: Severity
    what: str
    where: str
    cause: str
    remedy: str

    @property
    def summary(self) -> str:
        """The finding in a line."""
        return f"{self.id} {self.severity}: {self.what} ({self.where})"

    def __str__(self) -> str:
        """Return the finding with its cause and remedy."""
        return f"{self.summary}\n  Cause: {self.cause}\n  Remedy: {self.remedy}"


def _kinds(severity: Severity, *rows: tuple[str, str, str, str]) -> list[Kind]:
    return [
        Kind(id=number, severity=severity, what=what, cause=cause, remedy=remedy)
        for number, what, cause, remedy in rows
    ]


_ENVIRONMENT = [
    *_kinds(
        "error",
        (
            "TFO100",
            "The context cannot be used.",
            "a variable is missing or has the wrong form",
            "Set the variable that is named.",
        ),
        (
            "TFO101",
            "The step has no request token.",
            "Azure DevOps gives System.AccessToken only to steps that map it",
            MAPPING,
        ),
        (
            "TFO102",
            "A variable holds the literal text of a macro.",
            "nothing of that name was expanded, and clients take the text for a value",
            "Correct the macro's name, or map the variable that it should hold.",
        ),
        (
            "TFO103",
            "The job may not ask for ID tokens.",
            "GitHub gives the request URL and token only to jobs with the permission",
            PERMISSION,
        ),
        (
            "TFO104",
            "The service connection's id is missing.",
            "clients then send GitHub's GET to Azure DevOps, which answers 405",
            "Run in AzureCLI@2, or set ARM_OIDC_AZURE_SERVICE_CONNECTION_ID.",
        ),
        (
            "TFO105",
            "The service connection's id is not a GUID.",
            "its name was given, not its id",
            "Take the id from the connection's URL (resourceId), or run inside AzureCLI@2.",
        ),
        (
            "TFO106",
            "This looks like two pipelines at once.",
            "the variables of both are set",
            "Say which one it is with --tf-context or --context.",
        ),
        (
            "TFO107",
            "The request token has expired.",
            "System.AccessToken lives as long as its job, GitHub's request token six hours at most",
            "Take the token of the job that runs now.",
        ),
        (
            "TFO108",
            "The request URL is missing or cannot be used.",
            "the agent sets SYSTEM_OIDCREQUESTURI in every job, but it did not get here",
            "Pass it on to the container or script as it is.",
        ),
        (
            "TFO109",
            "The tenant is missing or has the wrong form.",
            "nobody can sign in without a tenant",
            "Set ARM_TENANT_ID to the tenant's id (a GUID).",
        ),
        (
            "TFO110",
            "The client id is missing or has the wrong form.",
            "the identity to sign in as is not known",
            "Set ARM_CLIENT_ID to the application's or managed identity's client id (a GUID).",
        ),
        (
            "TFO111",
            "The subscription's id is not a GUID.",
            "its name was given, not its id",
            "Set ARM_SUBSCRIPTION_ID to the subscription's id.",
        ),
        (
            "TFO112",
            "The cloud is not known.",
            "ARM_ENVIRONMENT or AZURE_AUTHORITY_HOST names none",
            "Use public, usgovernment or china, and an https host.",
        ),
        (
            "TFO113",
            "The job has no ID token.",
            "it did not ask for one",
            "GitLab: id_tokens; Bitbucket: oidc; HCP Terraform: TFC_WORKLOAD_IDENTITY_AUDIENCE.",
        ),
        (
            "TFO114",
            "A variable's name is misspelt.",
            "no client reads a variable of this name, so it has no effect",
            "Correct the name.",
        ),
        (
            "TFO115",
            "ID tokens are switched off.",
            "ARM_USE_OIDC is not true, so azurerm and the backend do not try them",
            "Set ARM_USE_OIDC to true.",
        ),
        (
            "TFO116",
            "The ID token has expired.",
            "a static ID token lives for minutes, and this one's have passed",
            REFRESH_ONLY,
        ),
        (
            "TFO117",
            "The ID token is not a JWT.",
            "a masked value (***), or the output of a command that failed",
            "Look at what sets the variable.",
        ),
        (
            "TFO118",
            "The token file cannot be used.",
            "it is missing, empty, unreadable or a directory",
            "Look at what should write it, and at the variable that names it.",
        ),
    ),
    *_kinds(
        "warning",
        (
            "TFO120",
            "A static ID token switches refresh off.",
            "clients prefer ARM_OIDC_TOKEN to the refresh variables, and it is dead after minutes",
            REFRESH_ONLY,
        ),
        (
            "TFO121",
            "A token file switches refresh off.",
            "clients prefer the file to the refresh variables, and read it once",
            REFRESH_ONLY,
        ),
        (
            "TFO122",
            "A client secret or certificate wins over ID tokens.",
            "clients try it first, so nothing here is federated",
            "Take it out of the environment.",
        ),
        (
            "TFO123",
            "Another way of signing in is switched on.",
            "where ID tokens fail, a client silently signs in as somebody else",
            "Set ARM_USE_CLI and ARM_USE_MSI to false.",
        ),
        (
            "TFO124",
            "The request token dies soon.",
            "no ID token can be had after that; what runs ends an hour later",
            "Start the job anew, or split it.",
        ),
        (
            "TFO125",
            "The tenant is given by name.",
            "some clients want its id",
            "Set ARM_TENANT_ID to the tenant's id (a GUID).",
        ),
        (
            "TFO126",
            "The subscription is not set.",
            "azurerm 4 and newer need it",
            "Set ARM_SUBSCRIPTION_ID.",
        ),
        (
            "TFO127",
            "This job has one ID token and cannot get another.",
            "its kind of pipeline gives one for the whole job",
            "Keep the job shorter than the token's life, or give --tf-id-token-command.",
        ),
        (
            "TFO128",
            "azapi, azuredevops and OpenTofu's backend do not find the request URL.",
            "they read SYSTEM_OIDCREQUESTURI alone, and only ARM_OIDC_REQUEST_URL is set",
            "Set SYSTEM_OIDCREQUESTURI as well, or run under `tfoidc relay`.",
        ),
        (
            "TFO129",
            "ID tokens are not switched on.",
            "ARM_USE_OIDC is not set, so azurerm and the backend need use_oidc in their blocks",
            "Set ARM_USE_OIDC to true.",
        ),
    ),
    *_kinds(
        "note",
        (
            "TFO130",
            "addSpnToEnvironment gives an ID token that works once.",
            "`idToken` is minted when the task starts, and dies after minutes",
            "Map SYSTEM_ACCESSTOKEN instead, and leave idToken alone.",
        ),
    ),
]
_VERSIONS = _kinds(
    "warning",
    (
        "TFO201",
        f"Terraform is older than {floor_of(TERRAFORM)}.",
        "its azurerm backend cannot refresh Azure DevOps' ID tokens by itself",
        "Use a newer Terraform, or keep the relay on: it refreshes older ones too.",
    ),
    (
        "TFO202",
        "A locked provider is too old to refresh Azure DevOps' ID tokens by itself.",
        f"from which on they can: {floors_of(*PROVIDERS)}",
        "terraform init -upgrade, or keep the relay on: it refreshes older ones too.",
    ),
    (
        "TFO203",
        "There is no Terraform here.",
        "none was found, or what was found does not run",
        "Install one, or name it with --tf-executable.",
    ),
    (
        "TFO204",
        "A Terraform file cannot be read.",
        "it has a syntax error, or is no text",
        "Run terraform fmt on it.",
    ),
)
_UPGRADES = _kinds(
    "note",
    (
        "TFO205",
        "An upgrade step that is kept crosses a floor.",
        "above it a client refreshes Azure DevOps' ID tokens by itself",
        "Keep the relay on below it: it refreshes older ones too.",
    ),
)
_REPOSITORY = _kinds(
    "error",
    (
        "TFO301",
        "A backend configuration file holds a credential.",
        "`init` copies it into .terraform and `plan -out` into the plan: readable, and soon stale",
        REFRESH_ONLY,
    ),
    (
        "TFO302",
        "A backend block holds a credential.",
        "`init` copies it into .terraform and `plan -out` into the plan: readable, and soon stale",
        REFRESH_ONLY,
    ),
    (
        "TFO303",
        "A provider block holds a credential.",
        "it wins over the refresh variables",
        REFRESH_ONLY,
    ),
    (
        "TFO304",
        "A block switches ID tokens off, or another way of signing in on.",
        "what is written in the block wins over the environment",
        "Take use_oidc = false, use_cli = true and use_msi = true out of it.",
    ),
)
_PIPELINES = [
    *_kinds(
        "error",
        (
            "TFO401",
            "A step runs Terraform without System.AccessToken.",
            "Azure DevOps gives the token only to steps that map it",
            MAPPING,
        ),
        (
            "TFO402",
            "TerraformTask before version 5 caches the ID token.",
            "it passes oidc_token as backend configuration, which a saved plan keeps",
            "Use TerraformTask@5, or script steps with the refresh variables.",
        ),
        (
            "TFO403",
            "A script passes a token to the backend.",
            "-backend-config values lie readable in .terraform and in the plan, and go stale",
            REFRESH_ONLY,
        ),
        (
            "TFO404",
            "A task cannot use workload identity federation.",
            "Microsoft's table of tasks says so",
            "Use a newer version of the task, or AzureCLI@2.",
        ),
        (
            "TFO405",
            "A static ID token is handed to Terraform.",
            "ARM_OIDC_TOKEN is set once, wins over refresh, and is dead after minutes",
            REFRESH_ONLY,
        ),
        (
            "TFO406",
            "A variable's name is misspelt in a pipeline.",
            "no client reads a variable of this name",
            "Correct the name.",
        ),
        (
            "TFO407",
            "A job runs Terraform without the permission for ID tokens.",
            "GitHub gives request URL and token only to jobs with `id-token: write`",
            PERMISSION,
        ),
        (
            "TFO409",
            "SYSTEM_ACCESSTOKEN is mapped to something else.",
            "only $(System.AccessToken) is the job's token",
            MAPPING,
        ),
        (
            "TFO411",
            "A step runs Terraform without ARM_USE_OIDC.",
            "without it clients ask for no ID token, and nobody has signed in to the Azure CLI",
            "Set ARM_USE_OIDC to true beside them, or use_oidc in the provider and the backend.",
        ),
        (
            "TFO412",
            "A container does not get what buys ID tokens.",
            "docker and podman hand over only the variables that are named to them",
            "Hand it over by name as well: -e NAME, without its value.",
        ),
    ),
    *_kinds(
        "warning",
        (
            "TFO408",
            "A pipeline hands a client secret to Terraform.",
            "it wins over ID tokens",
            "Take it out, and federate the identity.",
        ),
        (
            "TFO410",
            "A pipeline file cannot be read.",
            "it is no YAML, or no text",
            "Look at the line that is named.",
        ),
    ),
    *_kinds(
        "note",
        (
            "TFO490",
            "The pipeline files were not looked at.",
            "PyYAML is not installed",
            "python -m pip install PyYAML",
        ),
    ),
]
CATALOGUE = MappingProxyType(
    {kind.id: kind for kind in (*_ENVIRONMENT, *_VERSIONS, *_UPGRADES, *_REPOSITORY, *_PIPELINES)}
)


def finding(number: str, *, where: str, what: str = "", cause: str = "") -> Finding:
    """Make a finding of the catalogue.

    Args:
        number: Its id.
        where: The variable, or the file and its line.
        what: In place of the catalogue's words.
        cause: In place of the catalogue's words. Never a value of a variable.
    """
    kind = CATALOGUE[number]
    return Finding(
        id=kind.id,
        severity=kind.severity,
        what=what or kind.what,
        where=where,
        cause=cause or kind.cause,
        remedy=kind.remedy,
    )
