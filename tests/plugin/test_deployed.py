"""Deploy once, assert many times: `tf_deployed`, in each scope, alone and on two workers."""

from __future__ import annotations

import pytest

from tests.project_kit import Project

MAIN = """\
variable "name" {
  default = "x"
}

resource "terraform_data" "this" {
  input = var.name
}

output "id" {
  value = terraform_data.this.id
}
"""
TESTS = """\
import pytest


class TestOne:
    def test_a(self, tf_deployed, oidc_clock):
        oidc_clock.advance("2h")
        assert tf_deployed.output("id")

    def test_b(self, tf_deployed):
        tf_deployed.assert_no_changes()


def test_c(tf_deployed):
    assert tf_deployed.state()["terraform_data.this"].values["input"] == "x"
"""
SCOPES = {"function": 6, "class": 4, "module": 2, "package": 1, "session": 1}


def deploy_project(project: Project, scope: str) -> None:
    """Write two files of three tests each, and a Terraform that notes what it does."""
    files = {"test_one.py": TESTS, "test_two.py": TESTS}
    project.module(main=MAIN, files=files)
    (project.path / "pytest.ini").write_text(
        f"[pytest]\ntf_deployed_scope = {scope}\ntf_module = module\ntf_check = none\n", "utf-8"
    )


def counted(project: Project, word: str) -> int:
    lines = (project.path / "commands").read_text("utf-8").splitlines()
    return sum(line.split()[0] == word for line in lines)


@pytest.mark.parametrize("workers", [(), ("-n2",)])
@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_a_scope_deploys_as_often_as_it_says(
    project: Project, scope: str, workers: tuple[str, ...]
) -> None:
    deploy_project(project, scope)
    wrapper = project.wrapper(f'echo "$1" >> {project.path}/commands')
    result = project.run(*workers, "module", "--import-mode=importlib", executable=wrapper)
    result.assert_outcomes(passed=6)
    assert counted(project, "apply") == counted(project, "destroy") == SCOPES[scope]


def test_a_test_that_fails_is_destroyed_all_the_same(project: Project) -> None:
    tests = "def test_it(tf_deployed):\n    assert not tf_deployed.output('id')\n"
    project.module(main=MAIN, files={"test_it.py": tests})
    wrapper = project.wrapper(f'echo "$1" >> {project.path}/commands')
    result = project.run("--tf-module=module", "--tf-check=none", executable=wrapper)
    result.assert_outcomes(failed=1)
    assert counted(project, "destroy") == 1


def test_a_scope_that_is_none_is_told(project: Project) -> None:
    deploy_project(project, "sesion")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'sesion' is no scope.", "Where: tf_deployed_scope", "Remedy: *"])


def test_a_stack_is_applied_in_order_and_destroyed_in_reverse(project: Project) -> None:
    project.module("network", main=MAIN)
    app = """\
variable "id" {}

resource "terraform_data" "this" {
  input = var.id
}

output "network" {
  value = terraform_data.this.output
}
"""
    project.module("app", main=app)
    tests = """\
import pytest


def test_it(tf_stack):
    stack = tf_stack(["network", "app"], variables={"network": {"name": "y"}})
    assert stack["app"].output("network") == stack["network"].output("id")
    assert stack["network"].state()["terraform_data.this"].values["input"] == "y"
    with pytest.raises(KeyError, match="Did you mean network"):
        stack["netwok"]


def test_wrong(tf_stack):
    tf_stack(["network"], variables={"netwok": {}})
"""
    (project.path / "test_it.py").write_text(tests, "utf-8")
    note = f'echo "$1 $(head -n1 main.tf)" >> {project.path}/commands'
    line = f'case "$1" in apply|destroy) {note};; esac'
    result = project.run(executable=project.wrapper(line))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*The stack has no module 'netwok'*"])
    done = (project.path / "commands").read_text("utf-8").splitlines()
    told = [(one.split()[0], "app" if '"id"' in one else "network") for one in done]
    assert told == [
        ("apply", "network"),
        ("apply", "app"),
        ("destroy", "app"),
        ("destroy", "network"),
    ]


OF_A_WORKSPACE = """\
import pytest
from pytest_tfoidc.events import RequestAnswered

CASES = {
    "no block": ("module", {}, False),
    "a block": ("azurerm", {}, True),
    "another block": ("local", {}, True),
    "configured": ("module", {"key": "mine.tfstate"}, True),
}


@pytest.mark.parametrize("case", CASES)
def test_it(tf_workspace, oidc_events, case):
    folder, backend, is_in_azure = CASES[case]
    workspace = tf_workspace(folder, backend_config=backend)
    with workspace.deployed(variables={"name": "y"}):
        plan = workspace.plan(variables={"name": "y"})
        assert not plan.has_changes  # nor in what the module's folder holds
        workspace.select_workspace("other")
        workspace.apply()
        assert workspace.state()["terraform_data.this"].values["input"] == "x"
    requests = oidc_events.of(RequestAnswered)
    assert any("tfstate" in one.path for one in requests) == is_in_azure


def test_init(tf_workspace, oidc_events):
    workspace = tf_workspace("module")
    workspace.init(backend_config={"key": "mine.tfstate"})
    workspace.apply()
    requests = oidc_events.of(RequestAnswered)
    assert any("mine.tfstate" in one.path for one in requests)
"""


def test_without_a_backend_the_state_of_a_workspace_is_a_file(project: Project) -> None:
    own = """
resource "terraform_data" "folder" {
  input = join(",", sort(tolist(fileset(path.module, "**"))))
}
"""
    project.module(main=MAIN + own)
    for kind in ("azurerm", "local"):
        project.module(kind, main=f'{MAIN}terraform {{\n  backend "{kind}" {{}}\n}}\n')
    (project.path / "test_it.py").write_text(OF_A_WORKSPACE, "utf-8")
    project.run("test_it.py").assert_outcomes(passed=5)
    assert not project.left_over()
