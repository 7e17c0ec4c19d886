"""The leak hunt: every secret is a canary, and not one is found where it should not be."""

from __future__ import annotations

import base64
import shutil
import stat
from collections.abc import Callable

import pytest

from tests.project_kit import Project, text_of
from tests.providers.providermirror import SHELF, launcher_of, lay_out

OUTPUT, VARIABLE, ACCESS_KEY, STATE = (
    "canary-output-4711",
    "canary-variable-4712",
    "canary-access-key-4713",
    "canary-in-state-4714",
)
PIPELINE, PLANTED = "canary-pipeline-4716", "canary-other-4717"  # of the pipeline; of nobody
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
# A provider that looks at its own process, and at the Terraform that has started it.
WITH_PROVIDER = f"""
terraform {{
  required_providers {{
    shelf = {{ source = "{SHELF}" }}
  }}
}}

resource "shelf_item" "held" {{
  folder = path.root
  name   = "held"
}}
{MAIN}
"""
LOOK_AT_PROVIDER = """
cat /proc/$$/environ /proc/$PPID/environ >> {path}/provider_environments
cat /proc/$$/cmdline /proc/$PPID/cmdline >> {path}/provider_arguments
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
    workspace.prepare()
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
        logging.getLogger("x").warning("logged %s of %s", text, tf_module.module)
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


REPORTS = tuple(f"report.{ending}" for ending in ("html", "md", "json", "svg"))
WRITTEN = ("junit.xml", "log.txt", "events.jsonl", "terraform.log", *REPORTS)
TERRAFORMS = ("arguments", "environments")
CHILDREN = (*TERRAFORMS, "provider_arguments", "provider_environments")
OURS = frozenset({"main.tf", "test_it.py", "bearer.txt", "terraform-wrapper", "given.tfbackend"})
# What every process of the run was started with, whenever Terraform is.
LOOK = """
for one in /proc/[0-9]*; do
  if grep -qz "^TMPDIR={temp}\\$" $one/environ; then cat $one/cmdline; echo; fi
done 2>/dev/null >> {path}/arguments
cat /proc/$$/environ >> {path}/environments
"""


def hunt(project: Project, module: str, *options: str) -> tuple[pytest.RunResult, dict[str, str]]:
    """Run the tests; return what came of it, and the text of every outlet by its name."""
    project.module(module, main=WITH_PROVIDER, files={"cloud/.keep": ""})
    (project.path / "test_it.py").write_text(TESTS)
    wrapper = project.wrapper(LOOK.format(temp=project.temp, path=project.path))
    reports = [f"--tf-report={name}" for name in REPORTS]
    files = ("--junitxml=junit.xml", "--log-file=log.txt", "--tf-events=events.jsonl", *reports)
    variables = project.path / f"{module}.tfvars"  # its name is in Terraform's arguments
    variables.write_text(f'password = "{VARIABLE}"\n')
    (project.path / "given.tfbackend").write_text(f'access_key = "{ACCESS_KEY}"\n')
    given = ("--tf-module", module, "--tf-check=delayed_apply", f"--tf-var-file={variables.name}")
    result = project.run(*given, *files, *options, module, "test_it.py", executable=wrapper)
    found = {
        str(path.relative_to(project.path)): path.read_text("utf-8", "replace")
        for path in project.path.rglob("*")
        if path.is_file() and path.name not in {*OURS, variables.name}
        if "runpytest" not in path.name
    }
    return result, {**found, "screen": text_of(result)}


@pytest.fixture
def environment(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The environment of a pipeline's step, and a provider for it; the secrets in it."""
    mirror = tmp_path_factory.mktemp("providers")
    for name, value in lay_out(mirror, source=SHELF, versions=("1.0.0",)).items():
        monkeypatch.setenv(name, value)
    launcher = launcher_of(mirror, source=SHELF, version="1.0.0")
    first, _, rest = launcher.read_text().partition("\n")
    launcher.write_text(f"{first}{LOOK_AT_PROVIDER.format(path=project.path)}{rest}")
    encoded = base64.b64encode(f":{PIPELINE}".encode()).decode()
    for name, value in {
        "TF_LOG": "TRACE",
        "TF_LOG_PATH": "terraform.log",
        "SOME_API_TOKEN": "canary-environment-4715",
        "SYSTEM_ACCESSTOKEN": PIPELINE,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {encoded}",
    }.items():
        monkeypatch.setenv(name, value)
    return [PIPELINE, "canary-environment-4715"]


@pytest.mark.parametrize(
    "options",
    [
        ("-vvv", "--showlocals", "-rA", "-o", "log_cli=true"),
        ("-s", "--tb=native"),
        ("--capture=tee-sys", "--tb=long", "-l"),
        ("-n2", "-vvv", "--showlocals", "-rA"),
        ("--tf-backend-config=given.tfbackend", "-vv", "-l"),  # init fails
    ],
    ids=["verbose", "uncaptured", "tee", "xdist", "failing-init"],
)
def test_no_canary_leaves_a_run(
    project: Project, environment: list[str], options: tuple[str, ...]
) -> None:
    result, outlets = hunt(project, "module", *options)
    assert result.parseoutcomes()["failed"] >= 3
    is_initialised = "--tf-backend-config=given.tfbackend" not in options
    assert set(outlets) >= {"screen", *WRITTEN, *(CHILDREN if is_initialised else TERRAFORMS)}
    bearer = (project.path / "bearer.txt").read_text()
    canaries = [*CANARIES, *environment, bearer]
    own = [bearer, "canary-environment-4715"]  # the relay's, and the user's own
    meant = {"environments": own, "provider_environments": own}
    for name, text in outlets.items():
        forbidden = [one for one in canaries if one not in meant.get(name, ())]
        assert hunted(text, forbidden) == [], name
        assert "eyJhbGciOi" not in text, name
    for name in ("terraform.log", *REPORTS):
        assert (project.path / name).stat().st_mode & 0o077 == 0, name
    assert project.left_over() == []


def test_the_hunt_finds_what_is_planted_in_each_outlet(
    project: Project, environment: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment
    monkeypatch.setenv("OTHER", PLANTED)
    _, outlets = hunt(project, PLANTED, "-vvv", "--showlocals")
    found = {name for name, text in outlets.items() if hunted(text, [PLANTED])}
    assert found >= {"screen", *WRITTEN, *CHILDREN}


@pytest.mark.parametrize(
    "form", [str, lambda t: t.encode().hex(), lambda t: base64.b64encode(t.encode()).decode()]
)
def test_the_hunt_finds_every_form(form: Callable[[str], str]) -> None:
    assert hunted(f"a {form(PLANTED)} b", [PLANTED]) == [PLANTED] * max(1, form is str)


def test_a_kept_workspace_is_nobody_elses(project: Project) -> None:
    module = project.module(main=MAIN)
    options = ("--tf-module", "module", "--tf-check=delayed_apply", "--tf-keep")
    project.run(*options, f"--tf-var=password={VARIABLE}").assert_outcomes(passed=1)
    kept = [path for path in project.temp.rglob("*") if path.is_file()]
    holding = [path for path in kept if VARIABLE.encode() in path.read_bytes()]
    assert holding  # the hunt finds what is there
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in holding)
    (base,) = project.temp.iterdir()
    assert stat.S_IMODE(base.stat().st_mode) == 0o700
    assert module.stat().st_mode & 0o055  # as users' own folders are
    shutil.rmtree(base)


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
