"""The variables that do not reach Terraform, and why: it has the relay's, or works without them."""

from __future__ import annotations

from pytest_tfoidc.authvariables import (
    CERTIFICATES,
    CLIENT,
    CONNECTION,
    ID_TOKEN,
    MANAGED_IDENTITY,
    PASSWORDS,
    REQUEST_TOKEN,
    REQUEST_URL,
    SECRETS,
    STORAGE_KEYS,
    TASK_ID_TOKEN,
    TENANT,
    USE_CLI,
    USE_MSI,
    USE_OIDC,
)
from pytest_tfoidc.pipelinekinds import RECORDS

STATIC = "a static ID token wins over refresh, and is dead after minutes"
SECRET = "a secret or a certificate wins over the ID token"  # noqa: S105 - a reason
KEY = "it takes the place of Entra ID for the state's storage account"
MANAGED = "another identity than the pipeline's would be used"
REPLACED = "the pipeline's own request URL and token stay out of the child; it has the relay's"
OTHER_NAME = "it holds the pipeline's own token under another name"
SWITCH = "it would switch ID tokens off, or another way of signing in on"
ANOTHER = "it names another identity or service connection than this context"
ISOLATION = "it would take the run out of its isolated workspace, or change its commands"

# What is ours in the child, or a job's own beside ARM_: the tasks' names for who signs in.
_OTHER_IDENTITIES = tuple(
    name for name in (*CLIENT, *TENANT) if not name.startswith(("ARM_", "AZURE_", "TFC_"))
)
WITHHELD = {
    **dict.fromkeys((ID_TOKEN, TASK_ID_TOKEN, "AZDO_TOKEN_PATH"), STATIC),
    **dict.fromkeys((name for kind in RECORDS for name in kind.withheld), STATIC),
    **dict.fromkeys((*SECRETS, *CERTIFICATES, *PASSWORDS), SECRET),
    **dict.fromkeys(STORAGE_KEYS, KEY),
    **dict.fromkeys(MANAGED_IDENTITY, MANAGED),
    **dict.fromkeys((USE_OIDC, USE_CLI, USE_MSI), SWITCH),
    **dict.fromkeys(("ARM_CLIENT_ID_FILE_PATH", *_OTHER_IDENTITIES, *CONNECTION), ANOTHER),
    **dict.fromkeys((*REQUEST_TOKEN, *REQUEST_URL), REPLACED),
}
WITHHELD_PREFIXES = {kind.withheld_prefix: STATIC for kind in RECORDS if kind.withheld_prefix}
# The second row leads Git to a repository, whatever folder it is started in: a hook of Git has it.
ISOLATED = {
    **dict.fromkeys(("TF_DATA_DIR", "TF_INPUT", "TF_CLI_ARGS"), ISOLATION),
    **dict.fromkeys(
        ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"),
        ISOLATION,
    ),
}
# TF_CLI_ARGS_plan and the like.
ISOLATED_PREFIXES = {"TF_CLI_ARGS_": ISOLATION}
