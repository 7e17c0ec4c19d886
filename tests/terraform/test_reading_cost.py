"""Large files are read once, and only what is needed of them; what is read is the same."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.terraform.hcl import native_syntax, parser
from pytest_tfoidc.terraform.hcl.body import Source
from pytest_tfoidc.terraform.hcl.skim import Needed, Skim, blanked
from pytest_tfoidc.terraform.module import read_module

MAIN = """\
terraform {
  backend "azurerm" { key = "a" }
  required_providers {
    azapi = { source = "azure/azapi", version = "~> 2.0" }
  }
}
variable "size" {
  type      = string
  sensitive = true
}
locals { a = "{" }
module "inner" {
  source = "./inner"
  size   = var.size
}
resource "azurerm_resource_group" "hub" {
  provider = azapi.hub
  name     = "a"
}
resource "aws_thing" "kept" {
  # a brace in a comment: {
  text = <<-EOT
    provider = none }
  EOT
  lifecycle { prevent_destroy = true }
}
output "a" { value = "${var.size}-${lookup({ a = "}" }, "a")}" }
"""
FILLER = 'resource "google_x" "n%d" {\n  name = "${var.size}-%d"\n  tags = { a = "b" }\n}\n'


def written(folder: Path, text: str) -> Path:
    (folder / "inner").mkdir(exist_ok=True, parents=True)
    (folder / "inner" / "main.tf").write_text("")
    (folder / "main.tf").write_text(text, encoding="utf-8")
    return folder


def test_a_large_file_says_the_same_as_a_small_one(tmp_path: Path) -> None:
    filler = "".join(FILLER % (number, number) for number in range(5_000))
    small = read_module(written(tmp_path / "small", MAIN + FILLER % (0, 0)))
    large = read_module(written(tmp_path / "large", MAIN + filler))
    assert (large.path / "main.tf").stat().st_size > parser.LARGE_BYTES
    assert large.backend is not None
    assert small.backend is not None
    assert large.backend.config == small.backend.config
    assert (
        large.providers
        == small.providers
        == {
            "azure/azapi",
            "hashicorp/aws",
            "hashicorp/google",
        }
    )
    for name in ("outputs", "required_version"):
        assert getattr(large, name) == getattr(small, name)
    places = [[(one.name, one.line) for one in m.protected] for m in (large, small)]
    assert places == [[("kept", 25)]] * 2
    lines = [[(one.name, one.line, one.sensitive) for one in m.variables] for m in (large, small)]
    assert lines == [[("size", 7, True)]] * 2
    assert [call.source for call in large.calls] == ["./inner"]


def test_a_file_is_read_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = native_syntax.read

    def counted(source: Source, *, skim: Skim | None = None) -> parser.Body:
        read.append(1)
        return real(source, skim=skim)

    monkeypatch.setattr(native_syntax, "read", counted)
    folder = written(tmp_path, 'output "a" { value = 1 }\n')
    for _ in range(3):
        assert read_module(folder).outputs == ("a",)
    assert len(read) == 1
    (folder / "main.tf").write_text('output "b" { value = 1 }\n')
    os.utime(folder / "main.tf", ns=(1, 1))
    assert read_module(folder).outputs == ("b",)


def test_three_megabytes_are_read_in_seconds_of_the_processor(tmp_path: Path) -> None:
    text = MAIN + "".join(FILLER % (number, number) for number in range(40_000))
    assert len(text) > 2_900_000
    folder = written(tmp_path, text)
    started = time.process_time()
    read_module(folder)
    first = time.process_time() - started
    started = time.process_time()
    read_module(folder)
    assert first < (12 if sys.gettrace() is None else 60)  # coverage looks at every line
    assert time.process_time() - started < first / 3


PARTS = st.lists(st.sampled_from(['"', "{", "}", "#", "\n", "<<E\n", "E\n", "a", "\\", "/*", "*/"]))


@given(PARTS.map("".join))
def test_blanking_keeps_the_lines_of_any_text(text: str) -> None:
    data = f'resource "a" "b" {{\n{text}\n}}\n'.encode()
    assert blanked(data, {"resource": Needed()}).count(b"\n") == data.count(b"\n")
