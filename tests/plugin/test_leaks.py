"""The leak hunt: every secret is a canary, and not one is found where it should not be."""

from __future__ import annotations

import base64

import pytest

from tests.project_kit import Project, text_of

OUTPUT, VARIABLE, ACCESS_KEY, STATE = (
    "canary-output-4711",
    "canary-variable-4712",
    "canary-access-key-4713",
    "canary-in-state-4714",
)
CANARIES = (OUTPUT, VARIABLE, ACCESS_KEY, STATE)
MAIN = f"""
variable "password" {{
  sensitive = true
}}

variable "rules" {{
  type    = map(string)
  default = {{}}
}}

resource "terraform_data" "kept" {{
  input = sensitive("{STATE}")
}}

output "secret" {{
  value     = "{OUTPUT}"
  sensitive = true
}}

output "given" {{
  value     = var.password
  sensitive = true
}}
"""
TESTS = """
import base64
import logging
import pathlib
import sys
import warnings

import pytest


@pytest.fixture(scope="module")
def deployed(tf_workspace):
    yield None


def everything(workspace):
    workspace.init()
    workspace.apply()
    return {"out": workspace.output(), "state": str(workspace.state())}


def test_asserts(tf_module):
    values = everything(tf_module)
    assert values["out"] == {"secret": "x"}


def test_texts(tf_module, arm_env, oidc_credential):
    values = everything(tf_module)
    token = oidc_credential.get_token("https://management.azure.com/.default").token
    bearer = arm_env["ARM_OIDC_REQUEST_TOKEN"]
    encoded = base64.b64encode(f":{bearer}".encode()).decode()
    for text in (token, bearer, encoded, bearer.encode().hex(), values["out"]["secret"]):
        print("printed", text)
        print("told", text, file=sys.stderr)
        logging.getLogger("x").warning("logged %s", text)
        warnings.warn(f"warned {text}")
    raise RuntimeError(f"raised {token} {bearer} {values['out']['given']} {values['state']}")


def test_inputs(tf_module, arm_env):
    inputs = tf_module.inputs
    pathlib.Path("bearer.txt").write_text(arm_env["ARM_OIDC_REQUEST_TOKEN"])
    assert not inputs and arm_env is None
"""


def hunted(text: str, canaries: list[str]) -> list[str]:
    """Return the canaries that are in a text, in any of these forms."""
    squeezed = "".join(text.split())
    found = []
    for canary in canaries:
        forms = [canary, canary.encode().hex()]
        forms += [base64.b64encode(b"x" * n + canary.encode()).decode()[4:-4] for n in range(3)]
        found += [canary for form in forms if form in text or form in squeezed]
    return found


@pytest.mark.parametrize(
    "options",
    [
        ("-vv", "--showlocals", "-rA", "-o", "log_cli=true"),
        ("-s", "--tb=native", "--log-file=log.txt"),
        ("--capture=tee-sys", "--tb=long", "-l"),
        ("-n1", "--showlocals", "-rA"),
        (f"--tf-backend-config=access_key={ACCESS_KEY}", "-vv", "-l"),  # init fails
    ],
    ids=["verbose", "uncaptured", "tee", "xdist", "failing-init"],
)
def test_no_canary_leaves_a_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    project.module(main=MAIN)
    (project.path / "test_it.py").write_text(TESTS)
    monkeypatch.setenv("TF_LOG", "TRACE")
    monkeypatch.setenv("TF_LOG_PATH", "terraform.log")
    monkeypatch.setenv("SOME_API_TOKEN", "canary-environment-4715")
    module = ("--tf-module", "module", "--tf-check=none", f"--tf-var=password={VARIABLE}")
    result = project.run(
        *module,
        "--junitxml=junit.xml",
        *options,
        "test_it.py",
    )
    result.assert_outcomes(failed=3, warnings=result.parseoutcomes().get("warnings", 0))
    bearer = (project.path / "bearer.txt").read_text()
    canaries = [*CANARIES, "canary-environment-4715", bearer]
    assert hunted(text_of(result), canaries) == []
    assert "eyJ" not in text_of(result)
    for name in ("junit.xml", "terraform.log", "log.txt"):
        file = project.path / name
        if file.exists():
            assert hunted(file.read_text(), canaries) == [], name
            assert "eyJhbGciOi" not in file.read_text(), name
    assert (project.path / "terraform.log").stat().st_mode & 0o077 == 0
    assert project.left_over() == []


def test_the_hunt_finds_what_is_planted(project: Project) -> None:
    project.module(main=MAIN)
    (project.path / "test_it.py").write_text("def test_it():\n    assert 'canary-other-1' == 'x'\n")
    result = project.run("--junitxml=junit.xml", "test_it.py")
    assert hunted(text_of(result), ["canary-other-1"])
    assert hunted((project.path / "junit.xml").read_text(), ["canary-other-1"])
    for form in (str, lambda t: t.encode().hex(), lambda t: base64.b64encode(t.encode()).decode()):
        assert hunted(f"a {form('canary-other-1')} b", ["canary-other-1"])


def test_variables_are_no_arguments(project: Project) -> None:
    project.module(main=MAIN)
    (project.path / "test_it.py").write_text(
        "def test_it(tf_module):\n    tf_module.init()\n    tf_module.plan()\n"
        "    tf_module.apply()\n    assert tf_module.output('given')\n"
    )
    arguments = project.path / "arguments"
    wrapper = project.wrapper(f'echo "$@" >> {arguments}')
    result = project.run(
        *("--tf-module", "module", "--tf-check=none", f"--tf-var=password={VARIABLE}"),
        *('--tf-var=rules={"a"="b"}', "test_it.py"),
        executable=wrapper,
    )
    result.assert_outcomes(passed=1)
    assert "plan" in arguments.read_text()
    assert VARIABLE not in arguments.read_text()


@pytest.mark.parametrize(
    ("pipeline", "command"),
    [("TF_BUILD", "##vso[task.setsecret]"), ("GITHUB_ACTIONS", "::add-mask::")],
)
def test_a_pipeline_is_told_to_mask_before_the_first_use(
    project: Project, monkeypatch: pytest.MonkeyPatch, pipeline: str, command: str
) -> None:
    project.module(main=MAIN)
    (project.path / "test_it.py").write_text(
        "def test_it(arm_env):\n"
        "    open('bearer.txt', 'w').write(arm_env['ARM_OIDC_REQUEST_TOKEN'])\n"
    )
    monkeypatch.setenv(pipeline, "True")
    result = project.run("--tf-context=mock", "test_it.py")
    bearer = (project.path / "bearer.txt").read_text()
    assert f"{command}{bearer}" in result.outlines
