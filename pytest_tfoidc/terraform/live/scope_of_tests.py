"""Which subscriptions run blocks would touch, as far as it can be read before they run.

Terraform makes and applies the plan of a run block at once: there is none to look at. So the
provider blocks are read, of the test file and of the modules that it runs, with the variables that
each run has.
"""

from __future__ import annotations

import contextlib
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.live.scope import SUBSCRIPTION_ID, VARIABLE, NamedSubscription
from pytest_tfoidc.terraform.module import RootModule, read_module
from pytest_tfoidc.terraform.variablesfile import AUTOMATIC

ENVIRONMENT = "TF_VAR_"
Values = Mapping[str, object]  # of variables, as far as they are literals


def given_values(
    module: Path, *, inputs: Inputs, environment: Mapping[str, str], test_directory: str
) -> Values:
    """Return the values of variables that a run is given, whoever gives them.

    Args:
        module: The root module's folder.
        inputs: What the user gives to every command.
        environment: Terraform's.
        test_directory: The folder of test files, which may hold files of variables, too.
    """
    start = len(ENVIRONMENT)
    given: dict[str, object] = {
        name[start:]: text for name, text in environment.items() if name.startswith(ENVIRONMENT)
    }
    folders = (module, module / test_directory)
    automatic = [file for one in folders for name in AUTOMATIC for file in sorted(one.glob(name))]
    for file in (*automatic, *inputs.variable_files):
        with contextlib.suppress(OSError, parser.HclError):  # Terraform says it better
            given.update(_values(parser.parse_file(file)))
    return {**given, **_texts(inputs.variables), **inputs.values}


def _texts(variables: Iterable[str]) -> dict[str, str]:
    return dict(text.partition("=")[::2] for text in variables)


def _values(body: parser.Body) -> dict[str, object]:
    return {name: attribute.value for name, attribute in body.attributes.items()}


def named_in_tests(file: Path, module: RootModule, given: Values) -> Iterator[NamedSubscription]:
    """Find the subscriptions that the run blocks of a test file would touch.

    Args:
        file: The test file.
        module: The module under test.
        given: The values of variables that the run is given.

    Raises:
        TfOidcError: A file cannot be read.
    """
    body = parser.parse_file(file)
    shared = _variables(body)
    own = {_key(block) for block in body.of_type("provider", "mock_provider")}
    for block in body.of_type("provider"):
        yield from _named(block, file, ChainMap({}, shared, dict(given), _defaults(module)))
    for run in body.of_type("run"):
        tested = _tested(run, module)
        values = ChainMap(_variables(run.body), shared, dict(given), _defaults(tested))
        for one in (tested, *tested.called_modules()):
            for source, block in _providers(one):
                if one is not tested or _key(block) not in own:
                    yield from _named(block, source, values if one is tested else {})


def _variables(body: parser.Body) -> dict[str, object]:
    found: dict[str, object] = {}
    for block in body.of_type("variables"):
        found.update(_values(block.body))
    return found


def _defaults(module: RootModule) -> dict[str, object]:
    return {
        block.labels[0]: block.body.attributes["default"].value
        for file in module.files
        for block in parser.parse_file(file).of_type("variable")
        if block.labels and "default" in block.body.attributes
    }


def _tested(run: parser.Block, module: RootModule) -> RootModule:
    """Return the module that a run block runs; one that is fetched cannot be read here."""
    for block in run.body.of_type("module"):
        source = block.body.literal("source")
        if isinstance(source, str) and source.startswith("."):
            with contextlib.suppress(TfOidcError):  # Terraform says it better
                return read_module(module.path / source, opentofu=module.opentofu)
    return module


def _providers(module: RootModule) -> Iterator[tuple[Path, parser.Block]]:
    for file in module.files:
        for block in parser.parse_file(file).of_type("provider"):
            yield file, block


def _key(block: parser.Block) -> str:
    alias = block.body.literal("alias")
    return ".".join([*block.labels, *([alias] if isinstance(alias, str) else [])])


def _named(block: parser.Block, file: Path, values: Values) -> Iterator[NamedSubscription]:
    """Yield what a provider block names: nothing where it leaves it to the environment."""
    attribute = block.body.attributes.get(SUBSCRIPTION_ID)
    if attribute is None:
        return
    value: object = attribute.value
    variable = VARIABLE.match(attribute.text.removeprefix("${").removesuffix("}").strip())
    if value is parser.NOT_LITERAL and variable:
        value = values.get(variable[1], parser.NOT_LITERAL)
    if value is not None:
        named = value if isinstance(value, str) else ""
        yield NamedSubscription(named, f"{file}:{block.line}")
