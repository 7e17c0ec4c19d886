from __future__ import annotations

import json
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.errors import PlanError
from pytest_tfoidc.terraform.audit.planfile import (
    UNKNOWN,
    MalformedError,
    PlanPart,
    is_plan,
    read_plan,
    wire_fields,
)
from tests.terraform.audit.planfiles import (
    RealTerraform,
    backend_message,
    packed,
    plan_message,
    terraform_argv,
    varint,
    wire,
    write_plan,
    write_zip,
)

MODULE = """
terraform {
  backend "local" {}
}
variable "text" {
  type      = string
  sensitive = true
}
variable "list" { type = list(number) }
variable "object" { type = object({ a = string, b = optional(number), c = map(bool) }) }
variable "any" { type = any }
variable "number" { type = number }
variable "nothing" {
  type    = string
  default = "something"
}
variable "left_out" {
  type    = string
  default = "x"
}
module "child" {
  source = "./child"
}
resource "terraform_data" "first" {
  input = { text = var.text, child = module.child.id }
}
output "id" { value = terraform_data.first.id }
"""
CHILD = """
resource "terraform_data" "inner" {}
output "id" { value = terraform_data.inner.id }
"""
VARIABLES = {
    "text": "höchst geheim",
    "list": [1, 2.5],
    "object": {"a": "b", "c": {"d": True}},
    "any": [{"x": None}, ["y", 1]],
    "number": 123456789012345678901234567890,
    "nothing": None,
}


@pytest.fixture(scope="module", params=["path", "embedded"])
def real_plan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    argv = terraform_argv(request.param)
    if not argv:
        pytest.skip(f"no Terraform: {request.param}")
    folder = tmp_path_factory.mktemp("real")
    (folder / "main.tf").write_text(MODULE)
    (folder / "child").mkdir()
    (folder / "child" / "child.tf").write_text(CHILD)
    (folder / "terraform.tfvars.json").write_text(json.dumps(VARIABLES))
    terraform = RealTerraform(argv, folder)
    terraform.run("init", "-backend-config=path=kept.tfstate")
    terraform.run("workspace", "new", "blue")
    terraform.run("plan", "-out=tfplan")
    return folder / "tfplan"


def test_a_real_plan_is_read(real_plan: Path) -> None:
    plan = read_plan(real_plan)

    assert (plan.backend_type, plan.workspace) == ("local", "blue")
    assert plan.backend_config == {"path": "kept.tfstate", "workspace_dir": None}
    assert plan.provider_config == {}
    assert plan.terraform_version.startswith("1.")
    assert plan.sources.keys() == {"main.tf", "child/child.tf", "modules.json"}
    assert plan.sources["main.tf"] == MODULE
    assert json.loads(plan.prior_state)["version"] == 4
    assert json.loads(plan.previous_state)["version"] == 4
    assert [part.label for part in plan.parts if "terraform_data" in part.label] == [
        "planned change of module.child.terraform_data.inner",
        "planned change of terraform_data.first",
    ]
    assert [part.label for part in plan.parts if "output" in part.label] == ["planned output `id`"]


def test_a_real_plans_variables_are_those_that_were_set(real_plan: Path) -> None:
    variables = read_plan(real_plan).variables

    assert variables == {
        **VARIABLES,
        "number": "123456789012345678901234567890",  # cty writes what no float holds as a text
    }


def test_a_plans_repr_shows_no_values(real_plan: Path) -> None:
    assert "geheim" not in repr(read_plan(real_plan))
    assert "geheim" not in repr(PlanPart("a part", b"geheim"))


def test_a_plan_without_a_backend_is_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "plan", {"tfplan": plan_message()})

    plan = read_plan(path)

    assert (plan.backend_type, plan.backend_config, plan.workspace) == ("", {}, "")
    assert (plan.prior_state, plan.lock_file, plan.sources) == ("", "", {})


def test_a_state_store_takes_the_backends_place(tmp_path: Path) -> None:
    provider = wire(1, "example/store") + wire(3, packed({"token": "t"}))
    store = backend_message("store_blob", {"bucket": "b"}) + wire(4, provider)
    path = write_zip(tmp_path / "plan", {"tfplan": plan_message(wire(29, store))})

    plan = read_plan(path)

    assert (plan.backend_type, plan.workspace) == ("store_blob", "default")
    assert (plan.backend_config, plan.provider_config) == ({"bucket": "b"}, {"token": "t"})


def test_unknown_values_are_no_obstacle(tmp_path: Path) -> None:
    refined = msgpack.ExtType(12, msgpack.packb({1: False}))
    config = {"plain": msgpack.ExtType(0, b"\0"), "refined": refined, "list": [refined, 1]}

    plan = read_plan(write_plan(tmp_path / "plan", config=config))

    assert plan.backend_config == {"plain": UNKNOWN, "refined": UNKNOWN, "list": [UNKNOWN, 1]}


@pytest.mark.parametrize(
    ("entries", "cause"),
    [
        ({"other": b"x"}, "no entry `tfplan`"),
        ({"tfplan": b""}, "format version 3"),
        ({"tfplan": wire(1, 4)}, "format version 3"),
        ({"tfplan": wire(1, 3) + b"\x6a"}, "cut off"),
        ({"tfplan": plan_message(wire(13, wire(1, b"\xff")))}, "not UTF-8"),
        ({"tfplan": plan_message(wire(13, wire(2, b"")) + wire(13, b"\x12"))}, "cut off"),
        ({"tfplan": plan_message(wire(13, wire(2, packed([1]))))}, "not an object"),
        ({"tfplan": plan_message(wire(13, wire(2, wire(1, b"\xc1"))))}, "not msgpack"),
        ({"tfplan": plan_message(wire(13, wire(2, wire(1, b"\x81\x80\x01"))))}, "not msgpack"),
        (
            {"tfplan": plan_message(wire(13, wire(2, wire(1, b"\x91" * 2000 + b"\1"))))},
            "not msgpack",
        ),
        ({"tfplan": plan_message(wire(13, wire(2, wire(7, b"x"))))}, "not msgpack"),
    ],
)
def test_a_zip_that_is_no_plan_is_refused(
    tmp_path: Path, entries: dict[str, bytes], cause: str
) -> None:
    path = write_zip(tmp_path / "some.zip", entries)

    with pytest.raises(PlanError) as caught:
        read_plan(path)

    assert caught.value.what == "The file is not a saved plan."
    assert cause in caught.value.cause
    assert caught.value.where == str(path)
    assert "terraform plan -out" in caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"tfplan", b'{"remote_plan_format": 1}', b"PK\x03\x04"])
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert not is_plan(path)
    with pytest.raises(PlanError, match="not a saved plan"):
        read_plan(path)


def test_a_missing_plan_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read") as caught:
        read_plan(tmp_path / "missing")

    assert caught.value.cause == "No such file or directory"
    assert not is_plan(tmp_path / "missing")


def test_a_plan_is_recognized(tmp_path: Path) -> None:
    assert is_plan(write_plan(tmp_path / "any name"))
    assert not is_plan(write_zip(tmp_path / "other.zip", {"a": "b"}))


@given(message=st.binary(max_size=200))
def test_random_bytes_are_read_or_malformed(message: bytes) -> None:
    try:
        fields = tuple(wire_fields(message))
    except MalformedError:
        return
    assert all(number > 0 for number, _ in fields)


numbers = st.integers(min_value=1, max_value=2**29 - 1)
values = st.integers(min_value=0, max_value=2**64 - 1) | st.binary(max_size=300)


@given(fields=st.lists(st.tuples(numbers, values)))
def test_what_is_written_is_read(fields: list[tuple[int, int | bytes]]) -> None:
    message = b"".join(wire(number, value) for number, value in fields)

    assert list(wire_fields(message)) == fields


@given(number=st.integers(min_value=0))
def test_numbers_are_exact_or_refused(number: int) -> None:
    message = varint(1 << 3) + varint(number)

    if number < 2**64:
        assert list(wire_fields(message)) == [(1, number)]
    else:
        with pytest.raises(MalformedError):
            list(wire_fields(message))


def test_fixed_size_numbers_are_given_as_bytes() -> None:
    message = b"\x09" + b"12345678" + b"\x15" + b"1234"

    assert list(wire_fields(message)) == [(1, b"12345678"), (2, b"1234")]


@pytest.mark.parametrize("wire_type", [3, 4, 6, 7])
def test_groups_and_unused_wire_types_are_refused(wire_type: int) -> None:
    with pytest.raises(MalformedError, match="not in use"):
        list(wire_fields(bytes([1 << 3 | wire_type])))


@given(data=st.data())
def test_a_damaged_plan_gives_our_error_only(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write_plan(tmp_path_factory.getbasetemp() / "damaged", config={"key": "value"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    try:
        plan = read_plan(path)
    except PlanError:
        return
    assert plan.backend_type == "azurerm"


@given(message=st.binary(max_size=100), config=st.binary(max_size=60))
def test_a_plan_of_random_bytes_gives_our_error_only(
    tmp_path_factory: pytest.TempPathFactory, message: bytes, config: bytes
) -> None:
    backend = wire(13, wire(2, wire(1, config)))
    path = tmp_path_factory.getbasetemp() / "random"
    write_zip(path, {"tfplan": plan_message(backend, message), "tfstate": message})

    try:
        plan = read_plan(path)
    except PlanError:
        return
    assert isinstance(plan.backend_config, dict)
