"""Variables for one test: of any type, never in a process list, and remembered for the destroy."""

from __future__ import annotations

import pytest

from tests.project_kit import Project, text_of

SECRET = "s3cret = of this test"
MAIN = """\
variable "env" {
  type    = string
  default = "dev"
}

variable "zones" {
  type    = list(object({ name = string, ports = optional(map(number)) }))
  default = []
}

variable "untyped" {
  default = "nothing"
}

variable "password" {
  type      = string
  default   = null
  sensitive = true
}

resource "terraform_data" "this" {
  input = [var.env, var.untyped, var.password]
}

output "given" {
  value = { env = var.env, zones = var.zones, untyped = var.untyped }
}

output "password" {
  value     = var.password
  sensitive = true
}
"""
# A destroy evaluates the variables again, so that one which it does not have makes it fail.
STRICT = """\
variable "env" {
  type = string
  validation {
    condition     = var.env == "prod"
    error_message = "It was ${var.env}."
  }
}

resource "terraform_data" "this" {
  input = var.env
}
"""


def run_tests(project: Project, tests: str, *arguments: str, main: str = MAIN) -> pytest.RunResult:
    project.module(main=main, files={"test_it.py": f"import pytest\n\n\n{tests}"})
    return project.run("--tf-module=module", "--tf-check=none", *arguments)


def test_values_of_any_type_reach_terraform_as_what_they_are(project: Project) -> None:
    tests = """\
ZONES = [{"name": "a ${not} %{a} template", "ports": {"https": 443}}, {"name": "b", "ports": None}]


def test_it(tf_module):
    tf_module.init()
    given = {"env": "1", "zones": ZONES, "untyped": ["x", {"y": None}, 1.5, True]}
    tf_module.apply(variables=given)
    assert tf_module.output("given") == given
    with pytest.raises(AssertionError):
        assert tf_module.output("given") == {**given, "env": 1}
"""
    run_tests(project, tests).assert_outcomes(passed=1)


def test_the_nearest_wins(project: Project) -> None:
    """A call's over the marker's, over the command line's, over the environment's."""
    tests = """\
def env(tf_module, **given):
    tf_module.apply(**given)
    return tf_module.output("given")["env"]


def test_option(tf_module):
    tf_module.init()
    assert env(tf_module) == "option"


@pytest.mark.tf_variables(env="class")
class TestMarked:
    def test_class(self, tf_module):
        tf_module.init()
        assert env(tf_module) == "class"

    @pytest.mark.tf_variables(env="marker", untyped=[1])
    def test_marker_then_call(self, tf_module):
        tf_module.init()
        assert env(tf_module, variables={"env": "call"}) == "call"
        assert env(tf_module) == "marker"
        assert tf_module.output("given")["untyped"] == [1]
"""
    run_tests(project, tests, "--tf-var=env=option").assert_outcomes(passed=3)


def test_the_environment_counts_as_it_is_while_the_test_runs(project: Project) -> None:
    tests = """\
def env(tf_module):
    tf_module.apply()
    return tf_module.output("given")["env"]


def test_it(tf_module, monkeypatch):
    tf_module.init()
    assert env(tf_module) == "dev"
    monkeypatch.setenv("TF_VAR_env", "set")
    assert env(tf_module) == "set"
    monkeypatch.delenv("TF_VAR_env")
    assert env(tf_module) == "dev"
"""
    run_tests(project, tests).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "how",
    [
        "tf_module.apply(variables={'env': 'prod'})",
        "tf_module.apply(tf_module.plan(variables={'env': 'prod'}))",
        "monkeypatch.setenv('TF_VAR_env', 'prod'); tf_module.apply()",
    ],
)
def test_the_destroy_remembers_what_the_apply_had(project: Project, how: str) -> None:
    """Although the test is over, and its environment put back; another value is refused."""
    tests = f"""\
def test_it(tf_module, monkeypatch):
    tf_module.init()
    {how}
    with pytest.raises(Exception, match="It was dev"):
        tf_module.plan(variables={{"env": "dev"}})
"""
    run_tests(project, tests, main=STRICT).assert_outcomes(passed=1)


def test_a_destroy_without_the_variables_of_the_apply_fails(project: Project) -> None:
    """The control of the test before."""
    tests = """\
def test_it(tf_module):
    tf_module.init()
    tf_module.apply(variables={"env": "prod"})
    with pytest.raises(Exception, match="It was dev"):
        tf_module.destroy(variables={"env": "dev"})
    tf_module.destroy()
"""
    run_tests(project, tests, main=STRICT).assert_outcomes(passed=1)


def test_a_secret_is_in_no_process_list_and_in_no_report(project: Project) -> None:
    seen = project.path / "arguments"
    wrapper = project.wrapper(f'echo "$@" >> {seen}')
    tests = f"""\
def test_it(tf_module):
    tf_module.init()
    tf_module.apply(variables={{"password": {SECRET!r}}})
    assert tf_module.output("password") == {SECRET!r}
    print(tf_module.output("password"))
    raise AssertionError(tf_module.output("password"))
"""
    project.module(main=MAIN, files={"test_it.py": tests})
    result = project.run(
        "--tf-module=module", "--tf-check=none", "-s", "--showlocals", executable=wrapper
    )
    result.assert_outcomes(failed=1)
    source = next(line for line in result.outlines if line.startswith("E "))
    assert SECRET not in source
    assert "-var-file=" in seen.read_text("utf-8")
    assert SECRET not in seen.read_text("utf-8")


def test_a_workspace_has_inputs_of_its_own(project: Project) -> None:
    (project.path / "more.tfvars").write_text('env = "file"\nuntyped = "file"\n', "utf-8")
    tests = """\
def test_it(tf_workspace):
    workspace = tf_workspace(
        ".",
        variables={"untyped": "value"},
        variable_files=["../more.tfvars"],
        environment={"TF_VAR_zones": '[{name = "env"}]'},
    )
    workspace.init()
    workspace.apply()
    given = workspace.output("given")
    assert (given["env"], given["untyped"]) == ("file", "value")
    assert given["zones"] == [{"name": "env", "ports": None}]


def test_backend(tf_workspace, mock_issuer):
    workspace = tf_workspace(".", backend_config={"key": "of-its-own", "use_azuread_auth": True})
    workspace.init()
    workspace.apply()
    assert any("of-its-own" in str(blob) for blob in mock_issuer.blobs.blobs())
"""
    run_tests(project, tests, "--tf-var=env=option").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ("{'envv': 1}", "*no variable 'envv'*|*The test gives envv*|*Did you mean env?*"),
        ("{'env': object()}", "*value that Terraform cannot take*|*env*|*type object*"),
        ("{'zones': [{1: 2}]}", "*cannot take*|*zones[[]0]*|*key 1 is no str*"),
        ("{'env': float('nan')}", "*cannot take*|*env*|*no finite number*"),
    ],
)
def test_a_variable_that_cannot_be_is_told(project: Project, variables: str, told: str) -> None:
    tests = f"""\
def test_it(tf_module):
    tf_module.plan(variables={variables})
"""
    result = run_tests(project, tests)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(told.split("|"))


def test_a_value_of_another_type_is_told_by_terraform(project: Project) -> None:
    tests = """\
def test_it(tf_module):
    tf_module.init()
    tf_module.plan(variables={"zones": "none"})
"""
    result = run_tests(project, tests)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Invalid value for input variable*", "*list of object required*"])
    assert "Traceback" not in text_of(result)
