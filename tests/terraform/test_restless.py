"""Why a plan never becomes empty: the call is found where it stands, and named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_tfoidc.terraform import restless
from pytest_tfoidc.terraform.module import read_module
from pytest_tfoidc.terraform.restless import await_later_second, restless_cause

CHILD = """\
variable "stamp" { type = string }
variable "calm" { type = string }
locals { tags = { last = var.stamp } }
resource "terraform_data" "run" { triggers_replace = local.tags }
resource "terraform_data" "calm" { input = var.calm }
output "stamp" { value = var.stamp }
"""
ROOT = """\
locals {
  now = formatdate("YYYY", timestamp())
}
module "deploy" {
  for_each = toset(["a", "b"])
  source   = "./modules/deploy"
  stamp    = local.now
  calm     = "x"
}
"""
RUN = ('module.deploy["a"].terraform_data.run', 'module.deploy["b"].terraform_data.run')
FOLLOWS = """\
resource "terraform_data" "version" { input = uuid() }
resource "terraform_data" "app" {
  lifecycle { replace_triggered_by = [terraform_data.version] }
}
output "build" { value = "b-${plantimestamp()}" }
"""


def cause(tmp_path: Path, main: str, *addresses: str, name: str = "main.tf") -> str:
    (tmp_path / name).write_text(main, encoding="utf-8")
    child = tmp_path / "modules" / "deploy"
    child.mkdir(parents=True)
    (child / "main.tf").write_text(CHILD, encoding="utf-8")
    return restless_cause(read_module(tmp_path), addresses)


def test_a_call_is_followed_through_locals_and_the_arguments_of_modules(tmp_path: Path) -> None:
    told = f"{RUN[0]}, {RUN[1]} are set by timestamp() (main.tf:2), another value each time."
    assert cause(tmp_path, ROOT, *RUN) == told


def test_a_call_in_a_module_has_its_place_from_the_root(tmp_path: Path) -> None:
    main = ROOT.replace("local.now", '"x"')
    (tmp_path / "modules").mkdir()
    assert cause(tmp_path / "modules", main, *RUN) == ""
    child = tmp_path / "modules" / "modules" / "deploy" / "main.tf"
    child.write_text(CHILD.replace("var.stamp }", "uuid() }", 1), encoding="utf-8")
    told = restless_cause(read_module(tmp_path / "modules"), RUN[:1])
    assert told == f"{RUN[0]} is set by uuid() (modules/deploy/main.tf:3), another value each time."


def test_another_resource_of_the_same_name_elsewhere_is_not_taken_for_it(tmp_path: Path) -> None:
    main = f'{ROOT}resource "terraform_data" "run" {{ input = 1 }}\n'
    assert (
        cause(tmp_path, main, "terraform_data.run", 'module.deploy["a"].terraform_data.calm') == ""
    )


def test_what_follows_another_is_told_as_that_and_outputs_have_their_call(tmp_path: Path) -> None:
    addresses = ("terraform_data.app", "terraform_data.version", "output.build")
    assert cause(tmp_path, FOLLOWS, *addresses) == (
        "terraform_data.version is set by uuid() (main.tf:1);"
        " output.build is set by plantimestamp() (main.tf:5), another value each time;"
        " terraform_data.app follows terraform_data.version."
    )


def test_a_call_comes_through_the_output_of_a_module_and_through_data(tmp_path: Path) -> None:
    main = f"""\
{ROOT}
data "external" "build" {{ query = {{ at = uuid() }} }}
output "stamp" {{ value = module.deploy["a"].stamp }}
output "build" {{ value = data.external.build.result }}
"""
    told = cause(tmp_path, main, "output.stamp", "output.build")
    assert "output.stamp is set by timestamp() (main.tf:2)" in told
    assert "output.build is set by uuid() (main.tf:11)" in told


def test_json_syntax_and_values_that_refer_to_each_other(tmp_path: Path) -> None:
    values = '"locals": {"a": "${local.b}", "b": "${local.a}${uuid()}"}'
    main = f'{{{values}, "output": {{"x": {{"value": "${{local.a}}"}}}}}}'
    told = cause(tmp_path, main, "output.x", name="main.tf.json")
    assert told.startswith("output.x is set by uuid() (main.tf.json:")


@pytest.mark.parametrize("address", ["module.none.a.b", "a.b", "output.none"])
def test_an_address_that_is_not_there_has_no_cause(tmp_path: Path, address: str) -> None:
    assert cause(tmp_path, ROOT, address) == ""


@pytest.mark.parametrize(
    "place", ["main.tf", "modules/deploy/main.tf", ".terraform/modules/its/main.tf.json"]
)
@pytest.mark.parametrize("call", ["timestamp", "plantimestamp", "timeadd"])
def test_another_second_is_waited_for_where_values_go_by_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, call: str
) -> None:
    """Whatever the machine's speed, what differs each time differs in the next plan."""
    waited: list[float] = []
    monkeypatch.setattr(restless, "real_sleep", waited.append)
    cause(tmp_path, ROOT.replace("timestamp()", '"2026"'))
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(f"{before}\n# {call}()", encoding="utf-8")
    await_later_second(read_module(tmp_path), tmp_path)
    if call == "timeadd":
        assert waited == []
    else:
        assert len(waited) == 1
        assert 0 < waited[0] <= 1
