"""Scripts of pipelines: which run Terraform in a way that signs in, and which only speak of it."""

from __future__ import annotations

import time

import pytest

from pytest_tfoidc.doctor.scripts import plain, runs_terraform, with_called

SIGN_IN = (
    "terraform apply",
    "grep -q x main.tf && terraform apply",
    "bash <<EOF\nterraform apply\nEOF",
    "cat > run.sh <<'EOF'\nterraform apply\nEOF",
    "terraform -chdir=${{ matrix.dir }} init",
    'terraform -chdir="a b" apply;',
    '& "C:\\tools\\terraform.exe" plan',
    "tofu ${{ inputs.cmd }}",
    'TF_LOG=1 terraform "$@"',
    "terraform %CMD%",
    "terraform $env:CMD",
    "if ! terraform plan; then",
    "echo yes | terraform apply",
    'echo "a=$(terraform output -raw a)" >> $GITHUB_ENV',
    'bash -c "cd infra && terraform apply"',
    "terraform workspace select dev",
    "terragrunt run-all apply",
    "terragrunt run --all -- apply",
    "terragrunt --working-dir infra apply",
    "docker run --rm -v $PWD:/w -w /w hashicorp/terraform:1.9 apply -auto-approve",
    "docker run ghcr.io/opentofu/opentofu:1.9 -chdir=infra init",
    "python -m pytest --tf-module infra",
)
NO_SIGN_IN = (
    "terraform fmt -check $DIR",
    "terraform init -backend=false",
    "terraform version",
    "terraform workspace show",
    "terraform providers lock",
    "terraform-docs plan",
    "cd infra/terraform && tflint",
    "ls terraform && ./plan",
    "cp -r terraform $TARGET",
    "echo 'now: terraform plan'",
    'Write-Host "Running terraform apply"',
    'echo "see \\`terraform plan\\`" >> $GITHUB_STEP_SUMMARY',
    'git commit -m "terraform apply was run"',
    "grep -r 'terraform plan' docs",
    "sed -i 's/terraform apply/tofu apply/' README.md",
    "cat >> $GITHUB_STEP_SUMMARY <<EOF\nterraform apply -auto-approve\nEOF",
    "cat <<-'EOF'\n  terraform apply\n  EOF",
    '@"\nterraform apply\n"@ | Out-File help.txt',
)
MAKEFILE = """\
INFRA := infra
all: lint
lint:
\ttflint
.PHONY: deploy
deploy: init
\t./deploy.sh
init: ; terraform init
"""


@pytest.mark.parametrize("script", SIGN_IN)
def test_a_command_that_signs_in_is_seen(script: str) -> None:
    assert runs_terraform(plain(script))


@pytest.mark.parametrize("script", NO_SIGN_IN)
def test_what_signs_in_nowhere_is_not_accused(script: str) -> None:
    assert not runs_terraform(plain(script))


@pytest.mark.parametrize(
    ("script", "folder", "called"),
    [
        ("./scripts/deploy.sh prod", "", "scripts/deploy.sh"),
        ("bash $(Build.SourcesDirectory)/scripts/deploy.sh", "", "scripts/deploy.sh"),
        ("${{ github.workspace }}/scripts/deploy.sh", "app", "scripts/deploy.sh"),
        ("& .\\scripts\\Deploy.ps1 -Stage x", "", "scripts/Deploy.ps1"),
        ("./deploy.sh", "scripts", "scripts/deploy.sh"),
        ("../deploy.sh", "$(System.DefaultWorkingDirectory)/infra", "deploy.sh"),
    ],
)
def test_a_script_of_the_repository_is_read(script: str, folder: str, called: str) -> None:
    files = {called: "terraform apply"}
    whole = with_called(script, folder=folder, others=lambda name: files.get(name, ""))
    assert any(runs_terraform(part.text) for part in whole)


@pytest.mark.parametrize(
    "call",
    ['source "$(dirname "$0")/lib.sh"', ". ${BASH_SOURCE%/*}/lib.sh", "& $PSScriptRoot\\lib.sh"],
)
def test_a_script_beside_another_is_read(call: str) -> None:
    files = {"ci/run.sh": call, "ci/lib.sh": "terraform apply", "lib.sh": ""}
    whole = with_called("ci/run.sh", folder="", others=lambda name: files.get(name, ""))
    assert any(runs_terraform(part.text) for part in whole)


@pytest.mark.parametrize(
    ("script", "signs_in"),
    [("make deploy", "yes"), ("make -C . init", "yes"), ("make", ""), ("make lint", "")],
)
def test_a_target_of_a_makefile_counts_with_what_it_needs(script: str, signs_in: str) -> None:
    files = {"Makefile": MAKEFILE, "deploy.sh": "# terraform apply\n./deploy.sh\n"}
    whole = with_called(script, folder="", others=lambda name: files.get(name, ""))
    assert any(runs_terraform(part.text) for part in whole) is bool(signs_in)


def test_nothing_outside_of_the_repository_is_asked_for() -> None:
    asked: list[str] = []
    script = "/opt/x.sh; ../x.sh; $HOME/x.sh; ~/x.sh; sub/../../x.sh; make -C /etc"
    with_called(script, folder="", others=lambda name: asked.append(name) or "")  # type: ignore[func-returns-value]
    assert [name for name in asked if name.startswith(("/", ".."))] == []


@pytest.mark.parametrize(
    "script", ["terraform " + "-a='x' " * 5000, "a/" * 20000, "terraform $(" * 5000, "'\"" * 20000]
)
def test_a_long_line_takes_no_long_time(script: str) -> None:
    before = time.process_time()
    for part in with_called(script, folder="", others=lambda _name: ""):
        runs_terraform(part.text)
    assert time.process_time() - before < 5
