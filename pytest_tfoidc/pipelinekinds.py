"""The kinds of pipelines: one record each, from which everything that knows kinds is made.

To add one is to add one record to `RECORDS`: it is then detected, gets ID tokens, is offered by
--tf-context and `tfoidc mock --pipeline`, is rehearsed, and its token is kept out of Terraform. Its
row in docs/pipelines.md is `row` of it; a test compares them.

Every run of pytest loads this with the options, so it holds plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_tfoidc.authvariables import (
    CONNECTION,
    ID_TOKEN,
    ID_TOKEN_FILE,
    POD_TOKEN_FILE,
    REQUEST_TOKEN,
    REQUEST_URL,
)

AZURE_DEVOPS, GITHUB = "azure-devops", "github"
AZURE_PIPELINES = "azure-pipelines"  # the agent of Azure DevOps; GitHub's is called as GitHub
COMMAND_KIND = "command"  # --tf-id-token-command
# Where ID tokens come from. An endpoint is asked as Azure DevOps' (POST) or as GitHub's (GET).
POST, GET = "an endpoint that is posted to", "an endpoint that is got from"
ONE_TOKEN, FILE, COMMAND = "one token for the job", "a file that is kept fresh", "a command"
ENDPOINTS = frozenset({POST, GET})

AZURE_DEVOPS_MAPPING = """Map it in the step's YAML:
  env:
    SYSTEM_ACCESSTOKEN: $(System.AccessToken)"""
GITHUB_PERMISSION = """Allow it in the workflow or the job:
  permissions:
    id-token: write
    contents: read"""
_GITHUB_GIVES = "GitHub gives it only to jobs that may ask for ID tokens"
_NOT_ASKED = "the job did not ask for an ID token"
_NO_FILE = "it names the file of the ID token, and it is not set"
_POD = (
    "https://westeurope.oic.prod-aks.azure.com/{tenant}/{plan}/",
    "system:serviceaccount:tfoidc:stand-in",
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Requirement:
    """A thing that a kind cannot do without: the first of `names` that is set.

    `told`: which of them is named where none is. `{audience}` in a remedy is filled in.
    """

    names: tuple[str, ...]
    cause: str
    remedy: str
    told: int = 0

    @property
    def variable(self) -> str:
        """The name that is told where none is set."""
        return self.names[self.told]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PipelineKind:
    """A kind of pipeline, or of another place in which an identity is given.

    Args:
        name: How options name it.
        label: How people name it.
        source: Where ID tokens come from: POST, GET, ONE_TOKEN, FILE or COMMAND.
        markers: The variables by any of which it is recognised; the first is a switch.
        request_url: Of an endpoint.
        request_token: Of an endpoint: its bearer.
        connection: Of POST: the service connection.
        token: Of ONE_TOKEN the token itself, of FILE its path.
        command: What prints an ID token; `{audience}` and `{claims}` are filled in.
        identity_remedy: What to do where `{variable}`, who signs in, is missing.
        withheld: More variables that hold an ID token, which Terraform does not get.
        withheld_prefix: What further ones begin with.
        agent: What reads the log and takes commands from it, where there is such a thing.
        federation: Issuer and subject of a rehearsal's ID tokens, where none is an endpoint's.
        step: What a rehearsed step finds in its environment; empty where there is no rehearsal.
        origin: Where ID tokens come from, as the documentation says it.
        renewal: Whether they can be refreshed, as the documentation says it.
    """

    name: str
    label: str
    source: str
    origin: str
    renewal: str = "yes"
    markers: tuple[str, ...] = ()
    request_url: Requirement | None = None
    request_token: Requirement | None = None
    connection: Requirement | None = None
    token: Requirement | None = None
    command: tuple[str, ...] = ()
    identity_remedy: str = "Set {variable} in the job's environment."
    withheld: tuple[str, ...] = ()
    withheld_prefix: str = ""
    agent: str = ""
    federation: tuple[str, str] | None = None
    step: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_refreshable(self) -> bool:
        """Whether a new ID token can be had when the old one has died."""
        return self.source != ONE_TOKEN

    @property
    def token_names(self) -> tuple[str, ...]:
        """The variables that hold the one token, or the path of the file."""
        return self.token.names if self.token else ()

    @property
    def row(self) -> str:
        """Its row in docs/pipelines.md."""
        return f"| `{self.name}` | {self.origin} | {self.renewal} |"


RECORDS = (
    PipelineKind(
        name=AZURE_DEVOPS,
        label="Azure DevOps",
        source=POST,
        origin="`SYSTEM_OIDCREQUESTURI` and `SYSTEM_ACCESSTOKEN`",
        markers=("TF_BUILD", "SYSTEM_OIDCREQUESTURI"),
        request_url=Requirement(
            names=REQUEST_URL,
            told=2,
            cause="the agent sets it in every job; this process does not have it",
            remedy="Pass it on to the container or script; agents older than 3.220 lack it.",
        ),
        request_token=Requirement(
            names=REQUEST_TOKEN,
            told=2,
            cause="Azure DevOps gives the job's token only to steps that ask for it",
            remedy=AZURE_DEVOPS_MAPPING,
        ),
        connection=Requirement(
            names=CONNECTION,
            told=1,
            cause="no task has named the service connection to this step",
            remedy="Run inside AzureCLI@2 with `azureSubscription`, or set it to the connection's"
            " id.",
        ),
        identity_remedy="Run inside AzureCLI@2 with `azureSubscription`, or set {variable}.",
        agent=AZURE_PIPELINES,
        step={
            "TF_BUILD": "True",
            "SYSTEM_OIDCREQUESTURI": "{request_url}",
            "SYSTEM_ACCESSTOKEN": "{request_token}",
            CONNECTION[1]: "{connection}",
        },
    ),
    PipelineKind(
        name=GITHUB,
        label="GitHub Actions",
        source=GET,
        origin="`ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`",
        renewal="yes, for about six hours",
        markers=("GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_URL"),
        request_url=Requirement(
            names=REQUEST_URL[:2], told=1, cause=_GITHUB_GIVES, remedy=GITHUB_PERMISSION
        ),
        request_token=Requirement(
            names=REQUEST_TOKEN[:2], told=1, cause=_GITHUB_GIVES, remedy=GITHUB_PERMISSION
        ),
        agent=GITHUB,
        step={
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": "{request_url}",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "{request_token}",
        },
    ),
    PipelineKind(
        name="circleci",
        label="CircleCI",
        source=COMMAND,
        origin="`circleci run oidc get`",
        markers=("CIRCLECI",),
        command=("circleci", "run", "oidc", "get", "--claims", "{claims}"),
        withheld=("CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"),
    ),
    PipelineKind(
        name="buildkite",
        label="Buildkite",
        source=COMMAND,
        origin="`buildkite-agent oidc request-token`",
        markers=("BUILDKITE",),
        command=("buildkite-agent", "oidc", "request-token", "--audience", "{audience}"),
    ),
    PipelineKind(
        name="gitlab",
        label="GitLab CI",
        source=ONE_TOKEN,
        origin="`id_tokens:` with the name `GITLAB_OIDC_TOKEN`",
        renewal="no: the header says when it dies",
        markers=("GITLAB_CI",),
        token=Requirement(
            names=("GITLAB_OIDC_TOKEN", ID_TOKEN, "ID_TOKEN"),
            cause=_NOT_ASKED,
            remedy="Ask for one in the job: id_tokens: GITLAB_OIDC_TOKEN: aud: {audience}",
        ),
        withheld=("GITLAB_OIDC_TOKEN",),
        federation=(
            "https://gitlab.com",
            "project_path:tfoidc/stand-in:ref_type:branch:ref:main",
        ),
        step={"CI": "true", "GITLAB_CI": "true", "GITLAB_OIDC_TOKEN": "{id_token}"},
    ),
    PipelineKind(
        name="bitbucket",
        label="Bitbucket Pipelines",
        source=ONE_TOKEN,
        origin="`oidc: true`",
        renewal="no",
        markers=("BITBUCKET_BUILD_NUMBER",),
        token=Requirement(
            names=("BITBUCKET_STEP_OIDC_TOKEN",),
            cause=_NOT_ASKED,
            remedy="Ask for one in the step: oidc: true",
        ),
        withheld=("BITBUCKET_STEP_OIDC_TOKEN",),
        federation=(
            "https://api.bitbucket.org/2.0/workspaces/tfoidc/pipelines-config/identity/oidc",
            "{{{project}}}:{{{job}}}",
        ),
        step={
            "CI": "true",
            "BITBUCKET_BUILD_NUMBER": "7",
            "BITBUCKET_STEP_OIDC_TOKEN": "{id_token}",
        },
    ),
    PipelineKind(
        name="hcp-terraform",
        label="HCP Terraform",
        source=ONE_TOKEN,
        origin="`TFC_WORKLOAD_IDENTITY_AUDIENCE` in the workspace",
        renewal="no",
        markers=("TFC_RUN_ID",),
        token=Requirement(
            names=("TFC_WORKLOAD_IDENTITY_TOKEN", ID_TOKEN),
            cause=_NOT_ASKED,
            remedy="Set TFC_WORKLOAD_IDENTITY_AUDIENCE in the workspace.",
        ),
        withheld=("TFC_WORKLOAD_IDENTITY_TOKEN",),
        withheld_prefix="TFC_WORKLOAD_IDENTITY_TOKEN_",  # tagged ones
        federation=(
            "https://app.terraform.io",
            "organization:tfoidc:project:stand-in:workspace:stand-in:run_phase:apply",
        ),
        step={"TFC_RUN_ID": "run-tfoidc", "TFC_WORKLOAD_IDENTITY_TOKEN": "{id_token}"},
    ),
    PipelineKind(
        name="aks",
        label="AKS workload identity",
        source=FILE,
        origin=f"the file that `{POD_TOKEN_FILE}` names",
        renewal="yes: it is read anew",
        token=Requirement(
            names=(POD_TOKEN_FILE,),
            cause=_NO_FILE,
            remedy="Label the pod `azure.workload.identity/use: true` and give it the service"
            " account.",
        ),
        withheld=(POD_TOKEN_FILE,),
        federation=_POD,
        step={POD_TOKEN_FILE: "{token_file}"},
    ),
    PipelineKind(
        name="token-file",
        label="token file",
        source=FILE,
        origin=f"the file that `{ID_TOKEN_FILE}` names",
        renewal="yes, if somebody keeps it fresh",
        token=Requirement(
            names=(ID_TOKEN_FILE,),
            cause=_NO_FILE,
            remedy="Set it to the file that holds the ID token.",
        ),
        withheld=(ID_TOKEN_FILE,),
        federation=_POD,
        step={ID_TOKEN_FILE: "{token_file}"},
    ),
    PipelineKind(
        name=COMMAND_KIND,
        label="ID token command",
        source=COMMAND,
        origin="`--tf-id-token-command 'my-tool --audience {audience}'`",
    ),
)
KINDS: Mapping[str, PipelineKind] = {kind.name: kind for kind in RECORDS}
REHEARSED = tuple(kind.name for kind in RECORDS if kind.step)
AGENT = "TFOIDC_REHEARSAL_AGENT"  # set in a rehearsal: the agent outside of it
MARKERS = frozenset(name for kind in RECORDS for name in kind.markers)


def agent_name(environment: Mapping[str, str]) -> str:
    """Return what reads the log and takes commands from it; empty where nothing does.

    In a rehearsal that is what reads the log of whoever rehearses: on a laptop a command would show
    the secret that it is to mask.
    """
    if AGENT in environment:
        return environment[AGENT]
    return next(
        (
            kind.agent
            for kind in RECORDS
            if kind.agent and environment.get(kind.markers[0], "").lower() == "true"
        ),
        "",
    )


def listed(names: tuple[str, ...]) -> str:
    """Return names as a sentence has them: a, b or c."""
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
