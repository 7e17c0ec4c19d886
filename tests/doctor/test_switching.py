"""Whether a step's Terraform would ask for ID tokens: what is off is told, nobody else accused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_tfoidc.doctor.repository import examine

Look = Callable[[Mapping[str, str]], list[tuple[str, str, str]]]
MAPPED = "SYSTEM_ACCESSTOKEN: $(System.AccessToken)"
IDS = "ARM_CLIENT_ID: x, ARM_TENANT_ID: x"
FLOW, PIPE = ".github/workflows/a.yml", "azure-pipelines.yml"


def workflow(*steps: str, env: str = IDS, job: str = "", top: str = "") -> str:
    """A workflow that may ask for ID tokens, with steps that are given as YAML's flow mappings."""
    listed = "".join(f"    - {step}\n" for step in steps)
    return (
        f"on: push\n{top}permissions: {{id-token: write}}\njobs:\n  a:\n"
        f"    runs-on: ubuntu-latest\n{job}    env: {{{env}}}\n    steps:\n{listed}"
    )


def run(script: str, more: str = "") -> str:
    return f"{{run: {json.dumps(script)}{more}}}"


def pipeline(*steps: str, variables: str = "{ARM_CLIENT_ID: x}", top: str = "") -> str:
    listed = "".join(f"- {step}\n" for step in steps)
    return f"{top}variables: {variables}\nsteps:\n{listed}"


def bash(script: str, env: str = MAPPED) -> str:
    return f"{{bash: {json.dumps(script)}, env: {{{env}}}}}"


PLAN = run("terraform plan")
ADO_PLAN = bash("terraform plan")
COMPOSITE = "runs:\n  using: composite\n  steps:\n  - {run: terraform apply, shell: bash}\n"

UNSWITCHED = {
    "ids of the job": ({FLOW: workflow(PLAN)}, f"{FLOW}:8"),
    "ids of the step": (
        {FLOW: workflow(run("tofu plan", ", env: {ARM_TENANT_ID: x}"), env="A: b")},
        f"{FLOW}:8",
    ),
    "the subscription alone": ({FLOW: workflow(PLAN, env="ARM_SUBSCRIPTION_ID: x")}, f"{FLOW}:8"),
    "ids in the script": (
        {FLOW: workflow(run("export ARM_CLIENT_ID=$ID\nterraform plan"), env="A: b")},
        f"{FLOW}:8",
    ),
    "switched off": ({FLOW: workflow(PLAN, env=f"{IDS}, ARM_USE_OIDC: 'false'")}, f"{FLOW}:8"),
    "switched to nothing": ({FLOW: workflow(PLAN, env=f"{IDS}, ARM_USE_OIDC: ''")}, f"{FLOW}:8"),
    "unset before": ({FLOW: workflow(run("unset ARM_USE_OIDC; terraform plan"))}, f"{FLOW}:8"),
    "only shown": (
        {FLOW: workflow(run("echo oidc: $ARM_USE_OIDC\nterraform plan"))},
        f"{FLOW}:8",
    ),
    "a step before that keeps it to itself": (
        {FLOW: workflow(run("export ARM_USE_OIDC=true; terraform init"), PLAN)},
        f"{FLOW}:9",
    ),
    "another step's": (
        {FLOW: workflow(run("terraform init", ", env: {ARM_USE_OIDC: 'true'}"), PLAN)},
        f"{FLOW}:9",
    ),
    "only spoken of": (
        {FLOW: workflow(run("echo 'set ARM_USE_OIDC=true, or az login'\nterraform plan"))},
        f"{FLOW}:8",
    ),
    "an action that runs it": (
        {FLOW: workflow("{uses: dflook/terraform-apply@v1}")},
        f"{FLOW}:8",
    ),
    "a sign-in that comes too late": (
        {FLOW: workflow(PLAN, run("az login --identity"))},
        f"{FLOW}:8",
    ),
    "a sign-in to Docker": (
        {FLOW: workflow("{uses: docker/login-action@v3}", PLAN)},
        f"{FLOW}:9",
    ),
    "an action of the repository": (
        {FLOW: workflow("{uses: ./act}"), "act/action.yml": COMPOSITE},
        f"act/action.yml:4, used by {FLOW}:8",
    ),
    "a script": (
        {FLOW: workflow(run("./ci/plan.sh")), "ci/plan.sh": "#!/bin/sh\nterraform plan\n"},
        f"{FLOW}:8, which calls ci/plan.sh:2",
    ),
    "a configuration that forbids it": (
        {FLOW: workflow(PLAN), "main.tf": 'provider "azurerm" {\n  use_oidc = false\n}\n'},
        f"{FLOW}:8",
    ),
    "a configuration with it in a comment": (
        {FLOW: workflow(PLAN), "main.tf": 'provider "azurerm" {\n  # use_oidc = true\n}\n'},
        f"{FLOW}:8",
    ),
    "a pipeline": ({PIPE: pipeline(ADO_PLAN)}, f"{PIPE}:3"),
    "a pipeline's list": (
        {PIPE: pipeline(ADO_PLAN, variables="[{name: ARM_TENANT_ID, value: x}]")},
        f"{PIPE}:3",
    ),
    "a task with a script": (
        {
            PIPE: pipeline(
                "{task: Bash@3, inputs: {targetType: inline, script: terraform plan},"
                f" env: {{{MAPPED}}}}}"
            )
        },
        f"{PIPE}:3",
    ),
    "the Azure CLI's task before": (
        {PIPE: pipeline("{task: AzureCLI@2, inputs: {inlineScript: az account show}}", ADO_PLAN)},
        f"{PIPE}:4",
    ),
    "a template": (
        {
            PIPE: "variables: {ARM_CLIENT_ID: x}\nstages:\n- template: t/s.yml\n",
            "t/s.yml": f"stages:\n- stage: a\n  jobs:\n  - job: b\n    steps:\n    - {ADO_PLAN}\n",
        },
        "t/s.yml:6",
    ),
    "a condition": (
        {PIPE: pipeline(f"${{{{ if true }}}}:\n  - {ADO_PLAN}")},
        f"{PIPE}:4",
    ),
    "a deployment": (
        {
            PIPE: "variables: {ARM_CLIENT_ID: x}\njobs:\n- deployment: a\n  strategy:\n"
            f"    runOnce:\n      deploy:\n        steps:\n        - {ADO_PLAN}\n"
        },
        f"{PIPE}:8",
    ),
}
SWITCHED = {
    "of an anchor": {
        FLOW: workflow(PLAN, env=f"<<: *on, {IDS}", top="env: &on {ARM_USE_OIDC: 'true'}\n")
    },
    "the job's": {FLOW: workflow(PLAN, env=f"{IDS}, ARM_USE_OIDC: true")},
    "the workflow's": {FLOW: workflow(PLAN, top="env: {ARM_USE_OIDC: 'true'}\n")},
    "the container's": {
        FLOW: workflow(PLAN, job="    container: {image: x, env: {ARM_USE_OIDC: 'true'}}\n")
    },
    "a variable's value": {FLOW: workflow(PLAN, env=f"{IDS}, ARM_USE_OIDC: '${{{{ vars.X }}}}'")},
    "the script's": {FLOW: workflow(run("ARM_USE_OIDC=true terraform plan"))},
    "PowerShell's": {FLOW: workflow(run('$env:ARM_USE_OIDC = "true"\nterraform plan'))},
    "an earlier step's": {FLOW: workflow(run("echo ARM_USE_OIDC=true >> $GITHUB_ENV"), PLAN)},
    "of a file that is handed on": {FLOW: workflow(run("cat ci.env >> $GITHUB_ENV"), PLAN)},
    "of an action that sets variables": {FLOW: workflow("{uses: a/load-dotenv@v1}", PLAN)},
    "a called script's": {
        FLOW: workflow(run(". ci/env.sh; terraform plan")),
        "ci/env.sh": "export ARM_USE_OIDC=true\n",
    },
    "a script's that is not there": {FLOW: workflow(run("source ./env\nterraform plan"))},
    "the azure/login before": {FLOW: workflow("{uses: azure/login@v2}", PLAN)},
    "az login before": {FLOW: workflow(run("az login --identity"), PLAN)},
    "az login in it": {FLOW: workflow(run("az login --identity && terraform plan"))},
    "a client secret": {FLOW: workflow(PLAN, env=f"{IDS}, ARM_CLIENT_SECRET_FILE_PATH: x")},
    "a certificate": {FLOW: workflow(PLAN, env=f"{IDS}, ARM_CLIENT_CERTIFICATE_PATH: x")},
    "a managed identity": {FLOW: workflow(PLAN, env=f"{IDS}, ARM_USE_MSI: 'true'")},
    "the CLI": {FLOW: workflow(PLAN, env=f"{IDS}, ARM_USE_CLI: 'true'")},
    "no ids": {FLOW: workflow(PLAN, env="A: b")},
    "no sign-in": {FLOW: workflow(run("terraform fmt -check"))},
    "an environment by an expression": {
        FLOW: workflow(PLAN).replace(f"{{{IDS}}}", "${{ fromJSON(vars.ENV) }}")
    },
    "one's own machine": {
        FLOW: workflow(PLAN, env="ARM_SUBSCRIPTION_ID: x").replace("ubuntu-latest", "self-hosted")
    },
    "the backend's configuration": {
        FLOW: workflow(run("terraform init -backend-config=use_oidc=true"))
    },
    "under the relay": {FLOW: workflow(run("tfoidc relay -- terraform plan"))},
    "of a test": {FLOW: workflow(run("pytest --tf-module ."))},
    "the provider's": {
        FLOW: workflow(PLAN),
        "m.tf": 'provider "azurerm" {\n  use_oidc = true\n}\n',
    },
    "a variable of the module": {
        FLOW: workflow(PLAN),
        "m.tf": 'provider "azurerm" {\n  use_oidc = var.use_oidc\n}\n',
    },
    "the backend's": {
        FLOW: workflow(PLAN),
        "m.tf": 'terraform {\n  backend "azurerm" {\n    use_msi = true\n  }\n}\n',
    },
    "a file of the backend": {FLOW: workflow(PLAN), "d.tfbackend": "use_oidc = true\n"},
    "terragrunt's": {
        FLOW: workflow(run("terragrunt plan")),
        "root.hcl": 'env_vars = {\n  ARM_USE_OIDC = "true"\n}\n',
    },
    "a group": {
        PIPE: pipeline(ADO_PLAN, variables="[{name: ARM_CLIENT_ID, value: x}, {group: g}]")
    },
    "a pipeline's": {PIPE: pipeline(ADO_PLAN, variables="{ARM_CLIENT_ID: x, ARM_USE_OIDC: true}")},
    "of a template of variables": {
        PIPE: pipeline(ADO_PLAN, variables="[{name: ARM_CLIENT_ID, value: x}, {template: v.yml}]"),
        "v.yml": "variables:\n  ARM_USE_OIDC: true\n",
    },
    "of a task before": {
        PIPE: pipeline(bash("echo '##vso[task.setvariable variable=ARM_USE_OIDC]true'"), ADO_PLAN)
    },
    "the Azure CLI's task": {
        PIPE: pipeline(
            "{task: AzureCLI@2, inputs: {azureSubscription: c, inlineScript: terraform plan},"
            f" env: {{{MAPPED}}}}}"
        )
    },
    "of what takes a template": {
        PIPE: "variables: {ARM_CLIENT_ID: x, ARM_USE_OIDC: true}\nsteps:\n- template: t/s.yml\n",
        "t/s.yml": pipeline(ADO_PLAN),
    },
    "a template with parameters": {PIPE: pipeline(ADO_PLAN, top="parameters: []\n")},
    "a foreign template before": {PIPE: pipeline("{template: login.yml@other}", ADO_PLAN)},
}
DOCKER = "docker run --rm -v $PWD:/w -w /w"
IMAGE = "hashicorp/terraform:1.9 plan"
ALL = "-e ARM_CLIENT_ID -e ARM_USE_OIDC"
BOTH = "-e ACTIONS_ID_TOKEN_REQUEST_URL -e ACTIONS_ID_TOKEN_REQUEST_TOKEN"
NEITHER = "ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN"
FORGOTTEN = {
    "both": ({FLOW: workflow(run(f"{DOCKER} {ALL} {IMAGE}"))}, NEITHER),
    "the token": (
        {FLOW: workflow(run(f"{DOCKER} {ALL} -e ACTIONS_ID_TOKEN_REQUEST_URL {IMAGE}"))},
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    ),
    "the switch": (
        {FLOW: workflow(run(f"{DOCKER} -e ARM_CLIENT_ID {BOTH} {IMAGE}"))},
        "ARM_USE_OIDC",
    ),
    "podman": ({FLOW: workflow(run(f"podman run --env=ARM_CLIENT_ID=x {ALL} my ./x"))}, NEITHER),
    "over lines": (
        {FLOW: workflow(run(f"docker run \\\n  -e ARM_CLIENT_ID=$ID \\\n  {ALL} \\\n {IMAGE}"))},
        NEITHER,
    ),
    "compose": ({FLOW: workflow(run(f"docker compose run {ALL} tf plan"))}, NEITHER),
    "what compose hands over": (
        {
            FLOW: workflow(run("docker-compose run tf plan")),
            "compose.yml": "services: {tf: {environment: [ARM_CLIENT_ID, ARM_USE_OIDC]}}\n",
        },
        NEITHER,
    ),
    "a file": (
        {
            FLOW: workflow(run(f"{DOCKER} --env-file ci.env {IMAGE}")),
            "ci.env": "ARM_CLIENT_ID\nARM_USE_OIDC=true\n",
        },
        NEITHER,
    ),
    "a file that the step writes": (
        {FLOW: workflow(run(f"env | grep ^ARM_ > x.env\n{DOCKER} --env-file x.env {IMAGE}"))},
        NEITHER,
    ),
    "although the CLI is signed in": (
        {FLOW: workflow("{uses: azure/login@v2}", run(f"{DOCKER} {ALL} {IMAGE}"))},
        NEITHER,
    ),
    "a pipeline": (
        {PIPE: pipeline(bash(f"{DOCKER} {ALL} -e SYSTEM_ACCESSTOKEN {IMAGE}"))},
        "SYSTEM_OIDCREQUESTURI",
    ),
    "the Azure CLI's task": (
        {
            PIPE: pipeline(
                "{task: AzureCLI@2, inputs: {azureSubscription: c, inlineScript:"
                f" {json.dumps(f'{DOCKER} {ALL} {IMAGE}')}}}, env: {{{MAPPED}}}}}"
            )
        },
        "SYSTEM_OIDCREQUESTURI and SYSTEM_ACCESSTOKEN",
    ),
}
HANDED_OVER = {
    "both": run(f"{DOCKER} {ALL} {BOTH} {IMAGE}"),
    "under their other names": run(
        f"{DOCKER} {ALL} -e ARM_OIDC_REQUEST_URL=$U -e ARM_OIDC_REQUEST_TOKEN=$T {IMAGE}"
    ),
    "a secret": run(f"{DOCKER} -e ARM_CLIENT_ID -e ARM_CLIENT_SECRET_FILE_PATH {IMAGE}"),
    "the CLI's folder": run(f"{DOCKER} -v ~/.azure:/app/.azure -e ARM_TENANT_ID {IMAGE}"),
    "no ids": run(f"{DOCKER} -e TF_LOG {IMAGE}"),
    "options of a variable": run(f"{DOCKER} $ENV_ARGS -e ARM_CLIENT_ID {IMAGE}"),
    "options of a list": run(f'{DOCKER} "${{args[@]}}" -e ARM_CLIENT_ID {IMAGE}'),
    "a file that is not there": run(f"{DOCKER} --env-file ci.env -e ARM_CLIENT_ID {IMAGE}"),
    "all of them": run(f"env > x.env\n{DOCKER} --env-file x.env -e ARM_CLIENT_ID {IMAGE}"),
    "words for people": run(f'echo "{DOCKER} -e ARM_CLIENT_ID {IMAGE}"'),
    "a build": run("docker build -t x . --build-arg ARM_CLIENT_ID && docker push x"),
    "an action that is an image": "{uses: 'docker://hashicorp/terraform:1.9', with: {args: plan}}",
}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return what is found in a repository of some files: number, place and words."""

    def looked(files: Mapping[str, str]) -> list[tuple[str, str, str]]:
        for name, content in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        found = examine(tmp_path, environment={}, executable="/nowhere").findings
        return [(one.id, one.where, one.what) for one in found if one.id.startswith("TFO4")]

    return looked


@pytest.mark.parametrize(("files", "where"), UNSWITCHED.values(), ids=UNSWITCHED)
def test_ids_without_the_switch_are_told_at_the_step(
    look: Look, files: dict[str, str], where: str
) -> None:
    assert [one[:2] for one in look(files)] == [("TFO411", where)]


@pytest.mark.parametrize("files", SWITCHED.values(), ids=SWITCHED)
def test_who_switches_it_on_or_signs_in_otherwise_is_not_accused(
    look: Look, files: dict[str, str]
) -> None:
    assert [one for one in look(files) if one[0] == "TFO411"] == []


def test_what_is_set_is_named(look: Look) -> None:
    [(_, _, what)] = look({FLOW: workflow(PLAN)})
    assert what == (
        "A step runs Terraform without ARM_USE_OIDC: ARM_CLIENT_ID and ARM_TENANT_ID are set, and"
        " that is not."
    )


@pytest.mark.parametrize(("files", "missing"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_what_a_container_does_not_get_is_told(
    look: Look, files: dict[str, str], missing: str
) -> None:
    found = [what for number, _, what in look(files) if number != "TFO401"]
    assert found == [f"A container does not get {missing}."]


@pytest.mark.parametrize("step", HANDED_OVER.values(), ids=HANDED_OVER)
def test_a_container_that_gets_it_or_signs_in_otherwise_is_not_accused(
    look: Look, step: str
) -> None:
    on = {"m.tf": 'provider "azurerm" {\n  use_oidc = true\n}\n'}
    assert look({FLOW: workflow(step), **on}) == []


def test_a_container_in_a_script_is_told_there(look: Look) -> None:
    script = f"#!/bin/sh\n# plans\n{DOCKER} {ALL} {IMAGE}\n"
    [(number, where, _)] = look({FLOW: workflow(run("ci/plan.sh")), "ci/plan.sh": script})
    assert (number, where) == ("TFO412", f"ci/plan.sh:3, called by {FLOW}:8")


@pytest.mark.parametrize(
    "script",
    ["docker run " + "-e A " * 20000, "docker " * 20000, "source x;" * 20000, "$(" * 40000],
)
def test_a_long_script_takes_no_long_time(look: Look, script: str) -> None:
    before = time.process_time()
    look({FLOW: workflow(run(f"{script}\nterraform plan"))})
    assert time.process_time() - before < 5
