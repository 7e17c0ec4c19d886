"""The kinds of contexts: what they are called, and which variables make and fill them.

Every run of pytest loads this with the options, so it holds plain constants.
"""

from __future__ import annotations

LABELS = {
    "azure-devops": "Azure DevOps",
    "github": "GitHub Actions",
    "circleci": "CircleCI",
    "buildkite": "Buildkite",
    "gitlab": "GitLab CI",
    "bitbucket": "Bitbucket Pipelines",
    "hcp-terraform": "HCP Terraform",
    "aks": "AKS workload identity",
    "token-file": "token file",
    "command": "ID token command",
}
# One token for the whole job or phase: usable until it dies, and never another one.
STATIC_KINDS = frozenset({"gitlab", "bitbucket", "hcp-terraform"})

STATIC_TOKEN = {
    "gitlab": ("GITLAB_OIDC_TOKEN", "ARM_OIDC_TOKEN", "ID_TOKEN"),
    "bitbucket": ("BITBUCKET_STEP_OIDC_TOKEN",),
    "hcp-terraform": ("TFC_WORKLOAD_IDENTITY_TOKEN", "ARM_OIDC_TOKEN"),
}
TOKEN_FILE = {"aks": ("AZURE_FEDERATED_TOKEN_FILE",), "token-file": ("ARM_OIDC_TOKEN_FILE_PATH",)}

# A pipeline is recognised by any of its variables.
MARKERS = {
    "azure-devops": ("TF_BUILD", "SYSTEM_OIDCREQUESTURI"),
    "github": ("GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_URL"),
    "circleci": ("CIRCLECI",),
    "buildkite": ("BUILDKITE",),
    "gitlab": ("GITLAB_CI",),
    "bitbucket": ("BITBUCKET_BUILD_NUMBER",),
    "hcp-terraform": ("TFC_RUN_ID",),
}

AZURE_DEVOPS_MAPPING = """Map it in the step's YAML:
  env:
    SYSTEM_ACCESSTOKEN: $(System.AccessToken)"""
GITHUB_PERMISSION = """Allow it in the workflow or the job:
  permissions:
    id-token: write
    contents: read"""
