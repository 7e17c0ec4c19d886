"""Reading Terraform's language; where it can be, Terraform itself is the judge."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.terraform.hcl import parser

# Each pair of lists is put before the real `terraform fmt` too: see the test at the end.
ACCEPTED = [
    "",
    "\n\n",
    "# only a comment",
    "// the same",
    "/* the\nsame */",
    "\ufeffa = 1\n",
    "a = 1\r\nb {\r\n}\r\n",
    "a = 1",
    "a = 1 # c",
    "a = 1 /* c\n */\n",
    "a = 1 + /* \n */ 2\n",
    "a {\n /* c */ b = 1\n}\n",
    "a { b = 1 }\n",
    "a { b = [\n1\n] }\n",
    "a { /* \n */ b = 1 }\n",
    "a {}\n",
    "a { # c\n}\n",
    'a "b" c "d" {\n}\n',
    "é = ü.ö\n",
    "\u4e2d\u6587 = 1\n",
    'a = "\\u00e9\\U0001F600\\"\\\\\\n"\n',
    'a = "$${x} $x %y %%{z} 100% $ $$ %%"\n',
    'a = "# not // a /* comment"\n',
    "a = <<E\n# not\n// a\n/* comment\nE\n",
    'a = "${"${"x"}"}"\n',
    'a = "${ {b="}"}.b }"\n',
    'a = "${\nx\n}"\n',
    'a = "${~ x ~}%{ if y ~}1%{ else }2%{ endif }%{ for z in w }${z}%{ endfor }"\n',
    "a = <<-EOT\n    x\n  EOTX\n  EOT\n",
    "a = <<EOT\nEOT\n",
    "a = <<-E\r\n foo\r\n E\r\nb = 1\r\n",
    "a = <<E\n${<<F\nx\nF\n}\nE\n",
    "a = f(<<EOT\nfoo\nEOT\n, 1)\n",
    "a = (1\n+ 2)\n",
    "a = b[\n0\n]\n",
    "a = f(\n1,\n2...\n)\n",
    "a = [1\n,2,\n]\n",
    "a = {\n # c\n b = 1 # c\n\n // d\n c : 2,\n d = 3, e = 4\n}\n",
    'a = {true = 1, "b" = 2, (c) = 3, 4 = 5, "${d}" = 6}\n',
    "a = {\n b = c\n (d) = e\n}\n",
    "a = {\n b = c # c\n\n (d) = e\n (f) = g\n}\n",
    "a = [for x in y : x if z]\n",
    "a = {for k, v in y : k => v... if k}\n",
    "a = b[*].c[0].*.d.0\n",
    "a = provider::b::c(d)\n",
    "a = 1e5 + 1.5E-3 + 2e+2\n",
    "a = !b && c || -d > e % f\n",
    "a = b ? [] : {}\n",
    "for = 1\nnull = 2\nif = x.for\n",
    "a = x.y-z\na-b = x-1\n",
]
REFUSED = {
    "a = 1 b = 2\n": 1,
    "a = 1\na = 2\n": 2,
    "a = 1,\n": 1,
    "a = 1;\n": 1,
    "a = 0x1\n": 1,
    "a = 5m\n": 1,
    "a =\n": 1,
    "a\n": 1,
    "a=\n1\n": 1,
    "a = b +\n2\n": 1,
    "x = 1\na = b ?\nc : d\n": 2,
    "a = {b=1 c=2}\n": 1,
    "a = {\n b = 1\n , c = 2}\n": 3,
    "a = {b\n= 1}\n": 1,
    "a = {b = {\n} c = 1}\n": 2,
    "a = 'x'\n": 1,
    "a = @\n": 1,
    "\n@\n": 2,
    "a = b c\n": 1,
    'a = "x" "y"\n': 1,
    'a = "\\q"\n': 1,
    'a = "\\u00g0"\n': 1,
    'a = "x\ny"\n': 1,
    'a = "x\nb = 1\n': 1,
    'a = 1\nresource "x" "y" {\n b = "foo\n c = 2\n}\nz "w" {\n d = "1"\n}\n': 3,
    'a = "${}"\n': 1,
    'a = "${x"\n': 1,
    "a = 1\nb = <<EOT\nfoo\n": 2,
    "a = <<EOT \nfoo\nEOT\n": 1,
    "a = <<EOT\nfoo\nEOT": 1,
    "a {\n b = 1\n": 1,
    "a {\n b = 1\n}\n}\n": 4,
    "a {\n b = 1 }\n": 2,
    "a { b = 1\n}\n": 1,
    "a { b {} }\n": 1,
    "a { b = 1\n c = 2 }\n": 1,
    "a {} b {}\n": 1,
    'a "b"\n{\n}\n': 1,
    'a "${x}" {\n}\n': 1,
    '"a" = 1\n': 1,
    "a.b = 1\n": 1,
    "/* c": 1,
    "{}\n": 1,
    "a = f(1 2)\n": 1,
    "a = [1 2]\n": 1,
    "run {\n condition = a ==\n}\n": 2,
    "run {\n condition = a = b\n}\n": 2,
    "x {\n foo bar\n}\n": 2,
}


def value(text: str) -> parser.Value:
    return parser.parse(f"x = {text}\n", file="x.tf").literal("x")


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_terraform_accepts_is_read(text: str) -> None:
    parser.parse(text, file="x.tf")


@pytest.mark.parametrize(("text", "line"), REFUSED.items())
def test_what_terraform_refuses_is_an_error_on_its_line(text: str, line: int) -> None:
    with pytest.raises(parser.HclError) as caught:
        parser.parse(text, file="x.tf")
    assert (caught.value.file, caught.value.line) == ("x.tf", line)


def test_an_error_shows_the_place_and_marks_it() -> None:
    with pytest.raises(parser.HclError) as caught:
        parser.parse('a = 1\n\tö = "ü" ]\n', file="dir/x.tf")
    error = caught.value
    assert (error.line, error.column, error.source_line) == (2, 10, '\tö = "ü" ]')
    assert "Where: dir/x.tf:2:10" in str(error)
    assert str(error).endswith('\n    \tö = "ü" ]\n    \t        ^')


def test_a_very_long_line_is_not_shown_beyond_its_start() -> None:
    with pytest.raises(parser.HclError) as caught:
        parser.parse("a = " + "[" * 100_000, file="x.tf")
    assert len(str(caught.value)) < 1000


def test_an_error_in_a_large_file_still_has_its_line() -> None:
    with pytest.raises(parser.HclError) as caught:
        parser.parse("a {\n  b = 1\n}\n" * 20_000 + "c = = 1\n", file="x.tf")
    assert caught.value.line == 60_001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a\\n\\t\\"\\\\ \\u00e9"', 'a\n\t"\\ é'),
        ('""', ""),
        ('" a "', " a "),
        ('"$${x} %%{y} $z"', "${x} %{y} $z"),
        ('"\\ud800"', "\ufffd"),
        ("12", 12),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ('[1, "b", [false], null]', [1, "b", [False], None]),
        ('{a = 1, "b" : {c = []}}', {"a": 1, "b": {"c": []}}),
        ("<<E\n  a\n$${b}\nE", "  a\n${b}\n"),
        ("<<-E\n    a\n\n      b\n    E", "a\n\n  b\n"),
    ],
)
def test_a_plain_literal_has_its_value(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"a${b}"',
        '"%{if a}b%{endif}"',
        "var.x",
        "[1, x]",
        "{a = x}",
        "{(a) = 1}",
        "<<E\n${x}\nE",
        "1 + 1",
        "-x",
        "!true",
        "f(1)",
        "[for x in [1] : x]",
    ],
)
def test_what_terraform_has_to_compute_is_no_literal(text: str) -> None:
    assert value(text) is parser.NOT_LITERAL


def test_a_number_of_thousands_of_digits_is_no_failure() -> None:
    assert value("9" * 5000) == float("inf")


def test_blocks_have_labels_bodies_and_positions() -> None:
    text = '# c\n  run "a b" c {\n    é = [\n      1,\n    ]\n    inner {}\n  }\n'
    (block,) = parser.parse(text, file="x.tf").blocks
    assert (block.type, block.labels) == ("run", ("a b", "c"))
    assert (block.line, block.column, block.end_line) == (2, 3, 7)
    attribute = block.body.attributes["é"]
    assert (attribute.line, attribute.column, attribute.expression.column) == (3, 5, 9)
    assert attribute.expression.end_line == 5
    assert [inner.type for inner in block.body.of_type("inner")] == ["inner"]


def test_columns_count_characters_not_bytes() -> None:
    body = parser.parse('a { é = "x" }\n', file="x.tf")
    assert body.blocks[0].body.attributes["é"].expression.column == 9


def test_elements_of_lists_and_objects_keep_their_text() -> None:
    body = parser.parse("a = [var.x, f(1)]\nb = {c = [aws.x], (d) = 1}\n", file="x.tf")
    assert [item.text for item in body.attributes["a"].expression.items] == ["var.x", "f(1)"]
    assert {k: v.text for k, v in body.attributes["b"].expression.entries.items()} == {
        "c": "[aws.x]"
    }


def test_text_has_newlines_alone_whatever_the_file_has() -> None:
    assert parser.parse("a = [\r\n1\r\n]\r\n", file="x.tf").text("a") == "[\n1\n]"


def test_what_is_not_set_is_none() -> None:
    body = parser.parse("", file="x.tf")
    assert (body.literal("a"), body.text("a")) == (None, "")


@pytest.mark.parametrize("file", ["x.tf", "x.tf.json"])
def test_bytes_that_are_not_utf8_are_an_error_with_their_place(file: str) -> None:
    with pytest.raises(parser.HclError, match="UTF-8") as caught:
        parser.parse(b"\n\n \xff", file=file)
    assert (caught.value.line, caught.value.column) == (3, 2)


JSON = """{
  "//": "a comment",
  "terraform": {"backend": {"azurerm": {"key": "$${k}"}}},
  "variable": {"region": {"type": "string", "default": ["a", 1.5, {"b": null}]}},
  "run": [
    {"first": {"assert": [{"condition": "${true}"}, {"condition": "x"}]}},
    {"second": {
      "expect_failures": ["var.x"]
    }}
  ]
}"""


def test_json_gives_the_same_objects() -> None:
    body = parser.parse(JSON, file="x.tftest.json")
    backend = next(next(body.of_type("terraform")).body.of_type("backend"))
    assert (backend.labels, backend.body.literal("key")) == (("azurerm",), "${k}")
    variable = next(body.of_type("variable"))
    assert variable.body.text("type") == "string"
    assert variable.body.literal("default") == ["a", 1.5, {"b": None}]
    first, second = body.of_type("run")
    assert [one.body.literal("condition") for one in first.body.blocks] == [parser.NOT_LITERAL, "x"]
    assert (second.labels, second.line, second.column, second.end_line) == (("second",), 7, 6, 9)
    failures = second.body.attributes["expect_failures"]
    assert [item.text for item in failures.expression.items] == ["var.x"]


@pytest.mark.parametrize(
    ("text", "place", "cause"),
    [
        ("", (1, 1), "not JSON"),
        ('{\n "a": 1 "b"}', (2, 9), "not JSON"),
        ('{\n "é": é}', (2, 7), "not JSON"),
        ('{"a": NaN}', (1, 7), "not JSON"),
        ("[1]", (1, 1), "an object must stand here"),
        ('"a"', (1, 1), "an object must stand here"),
        ('{\n "run": 1}', (2, 9), "an object must stand here"),
        ('{\n "run": {"a": 1}}', (2, 15), "an object must stand here"),
        ('{"run": {"a": {"b": 1,\n "b": 2}}}', (2, 2), "`b` was set before"),
    ],
)
def test_bad_json_is_an_error_with_its_place(text: str, place: tuple[int, int], cause: str) -> None:
    with pytest.raises(parser.HclError) as caught:
        parser.parse(text, file="x.tf.json")
    assert (caught.value.line, caught.value.column) == place
    assert cause in caught.value.cause


@pytest.mark.parametrize("file", ["x.tf", "x.tf.json"])
@pytest.mark.parametrize("opening", ["[", '{"a":', "a {\n", "a = {b =", 'a = "${"${'])
def test_absurd_nesting_is_an_error_of_ours(file: str, opening: str) -> None:
    with pytest.raises(parser.HclError):
        parser.parse(opening * 3000, file=file)


def test_long_chains_of_operators_are_no_nesting() -> None:
    parser.parse("a = " + " && ".join(["b"] * 3000) + "\n", file="x.tf")


FRAGMENTS = ["a", "${", "%{", "<<E\n", "\nE\n", "for ", "/*", "*/", '"x"', "a = 1\n", "}\n"]
FRAGMENTS += ['run "a" {\n', "\ufeff", "\x00", "1e5", "(a) =", "\ud800", "\\u"]
PIECES = st.sampled_from([*FRAGMENTS, *'{}[]()"=:,.\n\r\t $%\\#/*<>-!?é0'])


@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["x.tf", "x.tf.json"]))
def test_no_text_raises_anything_but_our_error(text: str, file: str) -> None:
    with contextlib.suppress(parser.HclError):
        parser.parse(text, file=file)


@given(st.binary(max_size=200), st.sampled_from(["x.tf", "x.tf.json"]))
def test_no_bytes_raise_anything_but_our_error(data: bytes, file: str) -> None:
    with contextlib.suppress(parser.HclError):
        parser.parse(data, file=file)


NAMES = st.from_regex(r"[a-zé_][a-zé0-9_]{0,5}", fullmatch=True)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(NAMES, PLAIN, max_size=4))
def test_values_survive_both_syntaxes(attributes: dict[str, parser.Literal]) -> None:
    native = "".join(f"{name} = {written(value)}\n" for name, value in attributes.items())
    body = parser.parse(native, file="x.tf")
    assert {name: one.value for name, one in body.attributes.items()} == attributes
    escaped = json.loads(json.dumps(attributes).replace("${", "$${").replace("%{", "%%{"))
    in_json = parser.parse(json.dumps({"locals": escaped}), file="x.tf.json").blocks[0].body
    assert {name: one.value for name, one in in_json.attributes.items()} == attributes


def written(value: parser.Literal) -> str:
    """Return the native syntax of a value."""
    if isinstance(value, list):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        escaped = "".join(f"\\U{ord(character):08x}" for character in value)
        return f'"{escaped}"'
    return json.dumps(value)


def test_the_plugin_does_not_load_a_parser() -> None:
    code = "import sys, pytest_tfoidc.terraform; print('tree_sitter' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.skipif(not shutil.which("terraform"), reason="no terraform on PATH to compare with")
def test_terraform_agrees(tmp_path: Path) -> None:
    refused = [text for text in REFUSED if text != "{}\n"]  # fmt takes that for an empty file
    for number, text in enumerate([*ACCEPTED, *refused]):
        (tmp_path / f"case_{number:03}.tf").write_bytes(text.encode())
    environment = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    run = subprocess.run(
        ["terraform", "fmt", "-no-color", "-list=false", "-write=false", str(tmp_path)],  # noqa: S607 - whichever is on PATH
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    named = {number for number in range(200) if f"case_{number:03}.tf line" in run.stderr}
    assert named == set(range(len(ACCEPTED), len(ACCEPTED) + len(refused)))
