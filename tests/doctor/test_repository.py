"""Planted misconfigurations of repositories, each a real directory; and healthy ones."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from pytest_tfoidc.doctor.findings import CATALOGUE
from pytest_tfoidc.doctor.repository import Report, examine, render, render_json
from pytest_tfoidc.errors import UsageError

GUID = "11111111-1111-1111-1111-111111111111"
NOW = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
AZURE_DEVOPS = {
    "TF_BUILD": "True",
    "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/o/p/_apis/oidctoken",
    "SYSTEM_ACCESSTOKEN": "s3cret-job-token",
    "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": GUID,
    "ARM_TENANT_ID": GUID,
    "ARM_CLIENT_ID": GUID,
    "ARM_SUBSCRIPTION_ID": GUID,
    "ARM_USE_OIDC": "true",
}
TERRAFORM = """#!/bin/sh
echo '{"terraform_version": "VERSION"}'
"""
CLI_STEP = """
steps:
  - task: AzureCLI@2
    inputs:
      azureSubscription: my-connection
      scriptType: bash
      inlineScript: |
        terraform init
        terraform apply -auto-approve
"""
MAPPED = (
    CLI_STEP
    + """    env:
      SYSTEM_ACCESSTOKEN: $(System.AccessToken)
"""
)
WORKFLOW = """
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: terraform apply
"""
ALLOWED = WORKFLOW.replace("    steps:", "    permissions:\n      id-token: write\n    steps:")
LOCK = """
provider "registry.terraform.io/hashicorp/NAME" {
  version = "VERSION"
}
"""


def locked(name: str, version: str) -> str:
    return LOCK.replace("hashicorp/NAME", name).replace("VERSION", version)


def task(name: str) -> str:
    return f"steps:\n  - task: {name}\n    inputs:\n      azureSubscription: c\n"


def step(script: str, env: str = "SYSTEM_ACCESSTOKEN: $(System.AccessToken)") -> str:
    return f"steps:\n  - script: {json.dumps(script)}\n    env:\n      {env}\n"


HEALTHY = {
    "a mapped step": ("azure-pipelines.yml", MAPPED),
    "a workflow that may ask": (".github/workflows/ci.yml", ALLOWED),
    "permission for the workflow": (
        ".github/workflows/ci.yml",
        f"permissions:\n  id-token: write\n{WORKFLOW}",
    ),
    "terraform task 5": ("azure-pipelines.yml", task("TerraformTask@5")),
    "terraform task 4 for another cloud": (
        "azure-pipelines.yml",
        f"{task('TerraformTaskV4@4')}      provider: aws\n      command: apply\n",
    ),
    "terraform task 4 that validates": (
        "azure-pipelines.yml",
        f"{task('TerraformTaskV4@4')}      command: validate\n",
    ),
    "words for people": ("p.yml", step("Write-Host 'set ARM_OIDC_TOKEN=x, ARM_CLIENT_SECRET=y'")),
    "a text in a file": ("p.yml", step('@"\n$env:ARM_OIDC_TOKEN = 1\n"@ | Out-File help.txt')),
    "a task with its script": (
        "p.yml",
        f"{task('Bash@3')}      script: terraform apply\n    env: {{A: $(System.AccessToken)}}\n",
    ),
    "a template that is given a script": (
        "p.yml",
        "steps:\n  - template: t.yml\n    parameters: {script: terraform apply}\n",
    ),
    "a newer file copy": ("azure-pipelines.yml", task("AzureFileCopy@6")),
    "no sign-in": ("azure-pipelines.yml", step("terraform init -backend=false", "A: b")),
    "yaml that is no pipeline": ("values.yaml", "replicas: 2\nenv: {ARM_OIDC_TOKEN: x}\n"),
    "current providers": (".terraform.lock.hcl", locked("hashicorp/azurerm", "4.18.0")),
    "another provider": (".terraform.lock.hcl", locked("hashicorp/random", "1.0.0")),
    "a partial backend": ("main.tf", 'terraform {\n  backend "azurerm" {}\n}\n'),
    "a backend file": ("dev.tfbackend", 'key = "x"\nuse_oidc = true\n'),
    "a job for another cloud": (
        ".github/workflows/aws.yml",
        WORKFLOW.replace("    steps:", "    env:\n      AWS_ACCESS_KEY_ID: x\n    steps:"),
    ),
    "a chart": (
        "charts/shop/templates/deployment.yaml",
        "{{- if .Values.enabled }}\nkind: Deployment\n  {{- if .Values.x }}\n  a: 1\n{{- end }}\n",
    ),
    "a pipeline as a template": ("ci/cd.yaml", "%{ for e in envs ~}\n- ${e}: [\n%{ endfor }\n"),
    "broken yaml that is no pipeline": ("values.yaml", "a:\n  - [\n"),
    "what is unset": (
        "p.yml",
        step("# export ARM_OIDC_TOKEN=$x\nunset ARM_OIDC_TOKEN ARM_CLIENT_SECRET\nterraform apply"),
    ),
    "what is emptied": (
        "p.yml",
        step('export ARM_OIDC_TOKEN="" ARM_CLIENT_SECRET=\nterraform plan'),
    ),
    "what is emptied in PowerShell": ("p.yml", step("$env:ARM_OIDC_TOKEN = $null\nterraform plan")),
    "what is compared": ("p.yml", step('[[ $ARM_OIDC_TOKEN == "" ]] && terraform plan')),
    "what is commented out": ("p.yml", step("# terraform apply\necho done", "A: b")),
    "an action that only installs": (
        ".github/workflows/ci.yml",
        "on: push\njobs:\n  a:\n    steps:\n      - uses: hashicorp/setup-terraform@v3\n",
    ),
    "what terraform left": (".terraform/x.yml", CLI_STEP),
    "Google Cloud Build": (
        "cloudbuild.yaml",
        "steps:\n- name: hashicorp/terraform:1.9\n  script: terraform apply\n",
    ),
    "Google Cloud Build with a time limit": (
        "cloudbuild.yaml",
        "steps:\n- script: terraform apply\ntimeout: 1200s\n",
    ),
    "GitLab": (".gitlab-ci.yml", "stages: [a]\na:\n  script: terraform apply\n"),
    "CircleCI": (
        ".circleci/config.yml",
        "version: 2.1\njobs:\n- steps:\n  - script: terraform apply\n",
    ),
    "Buildkite": (
        ".buildkite/pipeline.yml",
        "steps:\n- label: x\n  command: terraform apply\n- script: terraform apply\n",
    ),
    "mapped under a condition": (
        "p.yml",
        step(
            "terraform apply",
            "${{ if eq(variables.a, 'b') }}:\n        SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
        ),
    ),
    "an environment that is handed over": (
        "p.yml",
        "steps:\n- bash: terraform apply\n  env: ${{ parameters.env }}\n",
    ),
    "an environment with more in it": (
        "p.yml",
        step("terraform apply", "${{ insert }}: ${{ parameters.env }}"),
    ),
    "a text for people": (
        ".github/workflows/ci.yml",
        WORKFLOW.replace(
            "run: terraform apply", "uses: a/comment@v1\n        with: {body: terraform plan}"
        ),
    ),
    "a script for GitHub": (
        ".github/workflows/ci.yml",
        WORKFLOW.replace("terraform apply", "'echo \"terraform apply\"'"),
    ),
    "what a workflow empties": (
        ".github/workflows/ci.yml",
        ALLOWED.replace("on: push", "on: push\nenv: {ARM_OIDC_TOKEN: '', ARM_USE_OIDC: x}"),
    ),
}
PLANTED = {
    "unmapped step": ("azure-pipelines.yml", CLI_STEP, "TFO401", 3),
    "unmapped script in a stage": (
        "ci/deploy.yaml",
        "stages:\n- jobs:\n  - steps:\n    - bash: terraform plan\n",
        "TFO401",
        4,
    ),
    "unmapped pytest": ("p.yml", step("pytest --tf-module m", "A: b"), "TFO401", 2),
    "terraform task 4": ("azure-pipelines.yml", task("TerraformTaskV4@4"), "TFO402", 2),
    "marketplace name": ("p.yml", task("ms-devlabs.x.TerraformTask@3"), "TFO402", 2),
    "token for the backend": (
        "p.yml",
        step('terraform init -backend-config="oidc_token=$T"'),
        "TFO403",
        2,
    ),
    "request token for the backend": (
        "p.yml",
        step("terraform init -backend-config=oidc_request_token=$T"),
        "TFO403",
        2,
    ),
    "file copy": ("p.yml", task("AzureFileCopy@5"), "TFO404", 2),
    "packer": ("p.yml", task("PackerBuild@1"), "TFO404", 2),
    "static token": ("p.yml", step("export ARM_OIDC_TOKEN=$idToken; terraform apply"), "TFO405", 2),
    "the seed's typo": ("p.yml", step("export ARM_USE_OUDC=true; terraform apply"), "TFO406", 2),
    "no permission": (".github/workflows/ci.yml", WORKFLOW, "TFO407", 5),
    "no permission for an action": (
        ".github/workflows/a.yml",
        WORKFLOW.replace("run: terraform apply", "uses: dflook/terraform-apply@v1"),
        "TFO407",
        5,
    ),
    "another cloud and this one": (
        ".github/workflows/a.yml",
        WORKFLOW.replace("    steps:", "    env: {AWS_REGION: x, ARM_USE_OIDC: a}\n    steps:"),
        "TFO407",
        5,
    ),
    "extended template": (
        "azure-pipelines.yml",
        "extends:\n  template: x.yml@y\n  parameters:\n    steps:\n    - script: tofu apply\n",
        "TFO401",
        5,
    ),
    "folder by an expression": (
        "p.yml",
        step("terraform -chdir=${{ parameters.folder }} apply", "A: b"),
        "TFO401",
        2,
    ),
    "continued line": ("p.yml", step("terraform \\\n  apply", "A: b"), "TFO401", 2),
    "on Windows": ("p.yml", step("terraform.exe plan", "A: b"), "TFO401", 2),
    "static token in PowerShell": (
        "p.yml",
        step("$env:ARM_OIDC_TOKEN = $env:idToken\nterraform apply"),
        "TFO405",
        2,
    ),
    "static token by a logging command": (
        "p.yml",
        step("echo ##vso[task.setvariable variable=ARM_OIDC_TOKEN;issecret=true]$idToken"),
        "TFO405",
        2,
    ),
    "static token for later steps": (
        "p.yml",
        step('echo "ARM_OIDC_TOKEN=$T" >> $GITHUB_ENV'),
        "TFO405",
        2,
    ),
    "static token of a workflow": (
        ".github/workflows/a.yml",
        ALLOWED.replace("on: push", "on: push\nenv:\n  ARM_OIDC_TOKEN: ${{ secrets.T }}"),
        "TFO405",
        4,
    ),
    "secret of a job": (
        ".github/workflows/a.yml",
        ALLOWED.replace("    steps:", "    env:\n      ARM_CLIENT_SECRET: x\n    steps:"),
        "TFO408",
        9,
    ),
    "static token among the variables": (
        "p.yml",
        "variables:\n- group: g\n- name: ARM_OIDC_TOKEN\n  value: $(idToken)\nsteps:\n- bash: ls\n",
        "TFO405",
        2,
    ),
    "typo among the variables of a job": (
        "p.yml",
        "jobs:\n- job: a\n  variables:\n    ARM_USE_OUDC: true\n  steps:\n  - bash: ls\n",
        "TFO406",
        4,
    ),
    "a subcommand by an expression": (
        "p.yml",
        step("terraform ${{ parameters.command }}", "A: b"),
        "TFO401",
        2,
    ),
    "continued in cmd": ("p.yml", step("terraform ^\r\n  apply", "A: b"), "TFO401", 2),
    "an image": (
        ".github/workflows/a.yml",
        WORKFLOW.replace("terraform apply", "docker run hashicorp/terraform:1.9 apply"),
        "TFO407",
        5,
    ),
    "a command for an action": (
        ".github/workflows/a.yml",
        WORKFLOW.replace(
            "run: terraform apply", "uses: a/retry@v3\n        with: {command: tofu apply}"
        ),
        "TFO407",
        5,
    ),
    "secret": ("p.yml", step("export ARM_CLIENT_SECRET=$S; terraform apply"), "TFO408", 2),
    "wrong macro": (
        "p.yml",
        step("terraform apply", "SYSTEM_ACCESSTOKEN: $(AccessToken)"),
        "TFO409",
        2,
    ),
    "broken yaml": ("azure-pipelines.yml", "steps:\n  - [\n", "TFO410", 3),
    "backend file": ("prod.tfbackend", 'key = "x"\noidc_token = "t"\n', "TFO301", 2),
    "backend block": (
        "main.tf",
        'terraform {\n  backend "azurerm" {\n    access_key = "k"\n  }\n}\n',
        "TFO302",
        3,
    ),
    "provider block": ("main.tf", 'provider "azurerm" {\n  oidc_token = var.t\n}\n', "TFO303", 2),
    "cli in the provider": ("main.tf", 'provider "azapi" {\n  use_cli = true\n}\n', "TFO304", 2),
    "oidc off": ("main.tf", 'provider "azurerm" {\n  use_oidc = false\n}\n', "TFO304", 2),
    "old azurerm": (".terraform.lock.hcl", locked("hashicorp/azurerm", "4.17.0"), "TFO202", 2),
    "old azuread": (".terraform.lock.hcl", locked("hashicorp/azuread", "3.1.0"), "TFO202", 2),
    "old azapi": (".terraform.lock.hcl", locked("azure/azapi", "1.15.0"), "TFO202", 2),
    "broken terraform": ("main.tf", 'provider "azurerm" {\n', "TFO204", 1),
}


EXTENDS = """\
extends:
  template: v1/official.yml@templates
  parameters:
    stages:
      - stage: deploy
        jobs:
          - job: tf
            steps:
              - task: TerraformTaskV4@4
                inputs:
                  provider: azurerm
                  command: init
              - script: |
                  terraform init -backend-config="client_secret=$SECRET"
                  terraform apply -auto-approve
"""


@pytest.fixture
def terraform(tmp_path: Path) -> Path:
    """A program that tells a version, as Terraform does."""
    file = tmp_path / "bin" / "terraform"
    file.parent.mkdir()
    file.write_text(TERRAFORM.replace("VERSION", "1.11.2"))
    file.chmod(0o755)
    return file


def write(root: Path, name: str, content: str) -> Path:
    file = root / "repository" / name
    file.parent.mkdir(parents=True)
    file.write_text(content)
    return root / "repository"


def report(path: Path, terraform: Path, **variables: str) -> Report:
    environment = {"PATH": "/usr/bin:/bin", **variables}
    return examine(path, environment=environment, executable=str(terraform), now=NOW)


@pytest.mark.parametrize(("name", "content"), HEALTHY.values(), ids=HEALTHY)
def test_nothing_is_found_in_a_healthy_repository(
    tmp_path: Path, terraform: Path, name: str, content: str
) -> None:
    found = report(write(tmp_path, name, content), terraform, **AZURE_DEVOPS)
    assert found.findings == ()
    assert found.exit_code == 0


@pytest.mark.parametrize(("name", "content", "number", "line"), PLANTED.values(), ids=PLANTED)
def test_what_was_planted_is_found_with_its_place(
    tmp_path: Path, terraform: Path, name: str, content: str, number: str, line: int
) -> None:
    found = report(write(tmp_path, name, content), terraform, **AZURE_DEVOPS)
    assert [one.id for one in found.findings] == [number]
    assert found.findings[0].where.startswith(f"{name}:{line}" if number != "TFO204" else name)
    assert found.exit_code == {"error": 3, "warning": 1}[CATALOGUE[number].severity]


def test_everything_that_is_handed_to_an_extended_template_is_looked_at(
    tmp_path: Path, terraform: Path
) -> None:
    found = report(write(tmp_path, "azure-pipelines.yml", EXTENDS), terraform, **AZURE_DEVOPS)
    assert [one.id for one in found.findings] == ["TFO401", "TFO402", "TFO403"]


ACTION = """\
name: apply
runs:
  using: composite
  steps:
    - run: terraform apply
      shell: bash
"""
OUTER = """\
name: outer
runs:
  using: composite
  steps:
    - uses: ./.github/actions/apply
"""
CALLS = """\
on: push
jobs:
  call:
    uses: ./.github/workflows/deploy.yml
"""
DEPLOY = WORKFLOW.replace("on: push", "on:\n  workflow_call:")
USES = WORKFLOW.replace("run: terraform apply", "uses: ./.github/actions/apply")
MAY = "    permissions:\n      id-token: write\n"
FLOWS, ACTIONS = ".github/workflows", ".github/actions"
APPLY = f"{ACTIONS}/apply/action.yml"


@pytest.mark.parametrize(
    ("files", "where"),
    [
        pytest.param({APPLY: ACTION, f"{FLOWS}/a.yml": USES}, f"{FLOWS}/a.yml:5", id="action"),
        pytest.param(
            {
                APPLY.replace("yml", "yaml"): ACTION,
                f"{ACTIONS}/outer/action.yml": OUTER,
                f"{FLOWS}/a.yml": USES.replace("actions/apply", "actions/outer"),
            },
            f"{FLOWS}/a.yml:5",
            id="action in an action",
        ),
        pytest.param(
            {APPLY: ACTION, f"{FLOWS}/a.yml": USES.replace("    steps:", f"{MAY}    steps:")},
            "",
            id="a job that may ask",
        ),
        pytest.param(
            {APPLY: ACTION.replace("apply\n      sh", "fmt\n      sh"), f"{FLOWS}/a.yml": USES},
            "",
            id="an action that only formats",
        ),
        pytest.param({f"{FLOWS}/a.yml": USES}, "", id="an action that is not there"),
        pytest.param({APPLY: OUTER, f"{FLOWS}/a.yml": USES}, "", id="an action that calls itself"),
        pytest.param({f"{FLOWS}/deploy.yml": DEPLOY}, "", id="what is called by others"),
        pytest.param(
            {f"{FLOWS}/deploy.yml": DEPLOY, f"{FLOWS}/a.yml": CALLS},
            f"{FLOWS}/a.yml:4",
            id="a caller that may not",
        ),
        pytest.param(
            {f"{FLOWS}/deploy.yml": DEPLOY, f"{FLOWS}/a.yml": CALLS + MAY},
            "",
            id="a caller that may",
        ),
        pytest.param(
            {
                f"{FLOWS}/deploy.yml": DEPLOY.replace("    steps:", f"{MAY}    steps:"),
                f"{FLOWS}/a.yml": CALLS,
            },
            f"{FLOWS}/a.yml:4",
            id="what is called asks, its caller may not",
        ),
        pytest.param(
            {
                f"{FLOWS}/deploy.yml": f"permissions: {{contents: read}}\n{DEPLOY}",
                f"{FLOWS}/a.yml": CALLS + MAY,
            },
            f"{FLOWS}/deploy.yml:7",
            id="what is called may not itself",
        ),
        pytest.param(
            {f"{FLOWS}/deploy.yml": WORKFLOW.replace("on: push", "on: [push, workflow_call]")},
            f"{FLOWS}/deploy.yml:5",
            id="called, and pushed to",
        ),
        pytest.param(
            {
                f"{FLOWS}/deploy.yml": CALLS.replace("on: push", "on: workflow_call"),
                f"{FLOWS}/a.yml": CALLS,
            },
            "",
            id="a workflow that calls itself",
        ),
    ],
)
def test_actions_and_workflows_of_the_same_repository_are_followed(
    tmp_path: Path, terraform: Path, files: dict[str, str], where: str
) -> None:
    for name, content in files.items():
        file = tmp_path / "repository" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    found = report(tmp_path / "repository", terraform, **AZURE_DEVOPS).findings
    assert [(one.id, one.where) for one in found] == ([("TFO407", where)] if where else [])


STEP = "azure-pipelines.yml:2"
MAKEFILE = "lint:\n\ttflint\napply: lint\n\techo applies\n\ttofu apply\n"
IN_SCRIPTS = (
    ("# sets\nexport ARM_OIDC_TOKEN=$idToken\n", "TFO405", 2),
    ("cat > x.md <<EOF\nterraform\nEOF\nexport ARM_OIDC_TOKEN=$T\n", "TFO405", 4),
    ("printf 'a\nb'\nfoo \\\n  x\nexport ARM_CLIENT_SECRET=$S\n", "TFO408", 5),
    ("\nterraform init \\\n  -backend=false \\\n  -backend-config=oidc_token=$T\n", "TFO403", 4),
    ("#!/bin/sh\r\n\r\nexport ARM_USE_OUDC=true\r\n", "TFO406", 3),
)


@pytest.mark.parametrize(
    ("step", "files", "number", "where"),
    [
        (
            "- task: AzureCLI@2\n  inputs: {scriptLocation: scriptPath, scriptPath: ci/apply.sh}\n",
            {"ci/apply.sh": "#!/bin/sh\nterraform apply\n"},
            "TFO401",
            f"{STEP}, which calls ci/apply.sh:2",
        ),
        (
            "- bash: ./apply.sh\n  workingDirectory: ci\n",
            {"ci/apply.sh": "#!/bin/sh\nterraform apply\n"},
            "TFO401",
            f"{STEP}, which calls ci/apply.sh:2",
        ),
        (
            "- script: make apply\n",
            {"Makefile": MAKEFILE},
            "TFO401",
            f"{STEP}, which calls Makefile:5",
        ),
        *(
            ("- bash: ci/x.sh\n", {"ci/x.sh": content}, number, f"ci/x.sh:{line}, called by {STEP}")
            for content, number, line in IN_SCRIPTS
        ),
        ("- bash: ci/x.sh\n", {"ci/x.sh": "# terraform apply\nterraform fmt\n"}, "", ""),
        ("- bash: ci/x.sh\n", {}, "", ""),
    ],
)
def test_scripts_of_the_repository_are_a_part_of_the_step_that_calls_them(
    tmp_path: Path, terraform: Path, step: str, files: dict[str, str], number: str, where: str
) -> None:
    for name, content in {"azure-pipelines.yml": f"steps:\n{step}", **files}.items():
        file = tmp_path / "repository" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    found = report(tmp_path / "repository", terraform, **AZURE_DEVOPS).findings
    told = [(number, where)] if number else []
    assert [(one.id, one.where) for one in found] == told


def test_an_actions_own_steps_are_looked_at(tmp_path: Path, terraform: Path) -> None:
    leaking = ACTION.replace("terraform apply", "terraform init -backend-config=oidc_token=$T")
    found = report(write(tmp_path, APPLY, leaking), terraform, **AZURE_DEVOPS)
    assert [(one.id, one.where) for one in found.findings] == [("TFO403", f"{APPLY}:5")]


def test_what_has_the_same_remedy_is_told_together_and_counted(
    tmp_path: Path, terraform: Path
) -> None:
    both = CLI_STEP + CLI_STEP.partition("steps:")[2] + "  - task: DockerV0@0\n"
    text = render(report(write(tmp_path, "p.yml", both), terraform, **AZURE_DEVOPS))
    assert text.count("TFO401 error: A step runs Terraform") == 2
    assert text.count("  Remedy: Map it in the step's YAML") == 1
    assert text.endswith("\n\n3 errors\n")


def test_an_old_terraform_is_found_where_it_matters(tmp_path: Path, terraform: Path) -> None:
    terraform.write_text(TERRAFORM.replace("VERSION", "1.11.1"))
    path = write(tmp_path, "main.tf", "")
    assert [one.id for one in report(path, terraform, **AZURE_DEVOPS).findings] == ["TFO201"]
    github = {k: v for k, v in AZURE_DEVOPS.items() if not k.startswith(("TF_", "SYSTEM_"))}
    github |= {"GITHUB_ACTIONS": "true", "ARM_OIDC_REQUEST_TOKEN": "t"}
    github |= {"ARM_OIDC_REQUEST_URL": "https://x.example/?a=b"}
    assert "TFO201" not in [one.id for one in report(path, terraform, **github).findings]


def test_a_missing_terraform_is_a_finding(tmp_path: Path) -> None:
    path = write(tmp_path, "main.tf", "")
    found = report(path, tmp_path / "nothing", **AZURE_DEVOPS)
    assert [one.id for one in found.findings] == ["TFO203"]


def test_a_missing_yaml_library_is_said_once(
    tmp_path: Path, terraform: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.yml", CLI_STEP)
    (path / "b.yml").write_text(CLI_STEP)
    real = builtins.__import__

    def without_yaml(name: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - Python's own
        if name == "yaml":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_yaml)
    found = report(path, terraform, **AZURE_DEVOPS)
    assert [one.id for one in found.findings] == ["TFO490"]
    assert "PyYAML" in found.findings[0].remedy


def test_a_report_names_clients_and_their_ways_and_no_secret(
    tmp_path: Path, terraform: Path
) -> None:
    path = write(tmp_path, ".terraform.lock.hcl", locked("hashicorp/azurerm", "4.17.0"))
    variables = {**AZURE_DEVOPS, "ARM_OIDC_TOKEN": "s3cret", "ARM_USE_OIDC": "true"}
    found = report(path, terraform, **variables)
    for text in (render(found), render_json(found), repr(found)):
        assert "s3cret" not in text
    assert "azurerm 4.17.0" in render(found)
    rows = {row["client"]: row for row in json.loads(render_json(found))["clients"]}
    assert rows["azurerm backend"]["here"]["authorizer"] == "static ID token"
    assert rows["azurerm backend"]["relayed"]["authorizer"] == "Azure DevOps"
    assert rows["azurerm"]["relayed"]["authorizer"] == "GitHub"  # too old for the other protocol


def test_a_path_that_is_no_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        examine(tmp_path / "nothing", environment={})


def test_the_command_has_an_exit_code_and_json(tmp_path: Path, terraform: Path) -> None:
    path = write(tmp_path, "p.yml", task("PackerBuild@1"))
    command = [sys.executable, "-m", "pytest_tfoidc.cli", "doctor", "--json"]
    done = subprocess.run(
        [*command, "--tf-executable", str(terraform), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "TFO404" in [one["id"] for one in json.loads(done.stdout)["findings"]]


def test_the_documentation_has_every_finding_and_no_other() -> None:
    page = Path(__file__).parents[2] / "docs" / "doctor.md"
    rows = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| TFO")]
    documented = {row[0].strip("| "): (row[1], row[2].strip("| ")) for row in rows}
    assert documented == {kind.id: (kind.severity, kind.what) for kind in CATALOGUE.values()}
