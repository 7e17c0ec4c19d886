"""Where the state of a test in a live context is: a place that nothing else has.

A live run applies and destroys for real. So each check, upgrade step and workspace of a fixture
has a state of its own, beside the one that the module's backend names, and a state that holds
anything when a test comes to it is somebody else's: the test is refused before it writes.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_tfoidc.errors import TfOidcError, UsageError

ISOLATED, OWN = "isolated", "own"
MODES = (ISOLATED, OWN)
MARK = "tfoidc"
LOCAL, AZURERM, S3 = "local", "azurerm", "s3"
CLOUD, REMOTE = "cloud", "remote"
ITEM_LENGTH = 60  # of a test's name in a key; a hash tells names apart that were cut
HASH_LENGTH = 8

# What tells one pipeline run from another.
RUN_VARIABLES = (
    "BUILD_BUILDID",
    "GITHUB_RUN_ID",
    "CI_PIPELINE_ID",
    "BITBUCKET_BUILD_NUMBER",
    "CIRCLE_WORKFLOW_ID",
    "BUILDKITE_BUILD_NUMBER",
    "TFC_RUN_ID",
)


class LiveStateError(UsageError):
    """A live test has no state that it may use. Nothing was written."""


class ForeignStateError(LiveStateError):
    """A state holds what this test did not make. Nothing was written."""


class ForeignResourceError(TfOidcError):
    """A plan would take over what this test did not make. Nothing was applied."""


@dataclass(frozen=True)
class KeyRule:
    """The rule for the key of a state in a backend.

    Attributes:
        attribute: The argument.
        limit: How long its value may be, in characters; the service's own limit.
        default: What it is where it is not given; None where it has to be given.
        is_path: Whether `/` may stand in it; where not, a short name is made.
    """

    attribute: str
    limit: int
    default: str | None = None
    is_path: bool = True


# Sources: the backends' pages at https://developer.hashicorp.com/terraform/language/backend, and
# for the limits the services' naming rules (blobs and objects 1,024; labels of Kubernetes 63;
# PostgreSQL's identifiers 63).
KEYS: Mapping[str, KeyRule] = MappingProxyType(
    {
        AZURERM: KeyRule("key", 1024),
        S3: KeyRule("key", 1024),
        "gcs": KeyRule("prefix", 1000, default=""),
        "oss": KeyRule("key", 1000, default="terraform.tfstate"),
        "cos": KeyRule("key", 850, default="terraform.tfstate"),
        "oci": KeyRule("key", 1024, default="terraform.tfstate"),
        "consul": KeyRule("path", 4096),
        "kubernetes": KeyRule("secret_suffix", 63, is_path=False),
        "pg": KeyRule("schema_name", 63, default="terraform_remote_state", is_path=False),
    }
)
# Arguments that say where a state is, in the order in which people name them.
PLACES = (
    "hostname",
    "organization",
    "storage_account_name",
    "container_name",
    "bucket",
    "namespace",
    "region",
    "prefix",
    "key",
    "path",
    "secret_suffix",
    "schema_name",
)


@dataclass(frozen=True, kw_only=True)
class StatePlace:
    """Where a state is.

    Attributes:
        backend: The backend's type; `cloud` for a `cloud` block.
        config: What the backend is configured with, as far as it is known. It may hold secrets.
        settings: What is given to init for this place, beyond what the user gives.
        terraform_workspace: The workspace of its own that a `remote` or `cloud` state has.
        is_own: Whether it is the state that the module's own backend names.
    """

    backend: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    terraform_workspace: str = ""
    is_own: bool = False

    @property
    def blob(self) -> Mapping[str, Any]:
        """The azurerm backend's configuration with this place in it. It may hold secrets."""
        return {**self.config, **self.settings}

    def __str__(self) -> str:
        """Return where it is, for people; no secrets."""
        if self.backend == LOCAL:
            return f"file {self.config.get('path', 'terraform.tfstate')}"
        known = {**self.config, **self.settings}
        named = [f"{_spoken(name)} {known[name]}" for name in PLACES if known.get(name)]
        if self.terraform_workspace:
            named.append(f"workspace {self.terraform_workspace}")
        return f"{self.backend}: {', '.join(named)}" if named else self.backend


def _spoken(argument: str) -> str:
    return argument.removesuffix("_name").replace("_", " ")


class LiveStates:
    """Derives the place of each test's state. One for a run.

    Args:
        environment: Names the pipeline's run, where there is one.
        mode: `isolated`, or `own` for a module whose state is for tests only.
        run: The run's name, where somebody has chosen it already.
    """

    def __init__(
        self, environment: Mapping[str, str], *, mode: str = ISOLATED, run: str = ""
    ) -> None:
        self.mode = mode
        self.run = run or run_name(environment)
        self._names: dict[str, int] = {}

    def name_of(self, module: str, item: str) -> str:
        """Return a name for a test's state that no other one of this run has, fit for any key."""
        digest = hashlib.sha256(f"{module}\0{item}".encode()).hexdigest()[:HASH_LENGTH]
        plain = re.sub(r"[^A-Za-z0-9]+", "-", item).strip("-")[-ITEM_LENGTH:].strip("-")
        name = f"{plain}-{digest}" if plain else digest
        number = self._names[name] = self._names.get(name, 0) + 1
        return name if number == 1 else f"{name}-{number}"

    def place(self, backend: str, config: Mapping[str, Any], *, name: str) -> StatePlace:
        """Return where the state of a test is.

        Args:
            backend: The backend's type; `cloud` for a `cloud` block.
            config: What the backend is configured with, as far as it is known.
            name: The test's, from `name_of`.

        Raises:
            LiveStateError: No place of its own can be derived.
        """
        if self.mode == OWN:
            return StatePlace(backend=backend, config=config, is_own=True)
        if backend == LOCAL:
            local = {"path": "terraform.tfstate", "workspace_dir": "terraform.tfstate.d"}
            return StatePlace(backend=backend, config=local, settings=local)
        if backend in {CLOUD, REMOTE}:
            base = _workspace_of(config) or MARK
            own = f"{_cut(base, 90 - len(self._short(name)) - 1)}-{self._short(name)}"
            return StatePlace(backend=backend, config=config, terraform_workspace=own)
        rule = KEYS.get(backend)
        if rule is None:
            raise _no_key(backend)
        base = _base(rule, backend, config)
        key = self._path(base, name) if rule.is_path else self._name(rule, base, name)
        if len(key) > rule.limit:
            raise _too_long(rule, backend, base, key)
        return StatePlace(backend=backend, config=config, settings={rule.attribute: key})

    def describe(self, backend: str, config: Mapping[str, Any]) -> str:
        """Say where the states of the tests of a module are.

        Raises:
            LiveStateError: As for `place`.
        """
        if self.mode == ISOLATED and backend in {"", LOCAL}:
            return "each test has a state of its own, a file in the ledger's folder"
        if not backend:
            return "each test keeps its state in its own copy of the module"
        place = self.place(backend, config, name="…")
        whose = "the module's own state" if place.is_own else "each test has a state of its own"
        return f"{whose}, {place}"

    def _path(self, base: str, name: str) -> str:
        root = f"{base.rstrip('/')}.{MARK}" if base.strip("/") else MARK
        return f"{root}/{self.run}/{name}"

    def _name(self, rule: KeyRule, base: str, name: str) -> str:
        tail = self._short(name)
        separator = "_" if "_" in base else "-"
        return f"{_cut(base, rule.limit - len(tail) - 1)}{separator}{tail}"

    def _short(self, name: str) -> str:
        """Return a name for places that take neither paths nor long names."""
        return MARK + hashlib.sha256(f"{self.run}/{name}".encode()).hexdigest()[:12]


def run_name(environment: Mapping[str, str]) -> str:
    """Return a name for this run: the pipeline's, and a random part, for it may run us twice."""
    given = next((environment[name] for name in RUN_VARIABLES if environment.get(name)), "")
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", given).strip("-")[:40]
    return "-".join(part for part in (plain, secrets.token_hex(4)) if part)


def _cut(text: str, length: int) -> str:
    return text[: max(1, length)].rstrip("-_") or MARK


def workspaces_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the `workspaces` block of a `remote` or `cloud` block; in JSON it may be in a list."""
    given = config.get("workspaces")
    block = given[0] if isinstance(given, list) and given else given
    return block if isinstance(block, Mapping) else {}


def _workspace_of(config: Mapping[str, Any]) -> str:
    named = workspaces_of(config).get("name")
    return named if isinstance(named, str) else ""


def _base(rule: KeyRule, backend: str, config: Mapping[str, Any]) -> str:
    given = config.get(rule.attribute, rule.default)
    if given is None:
        raise LiveStateError(
            f"The {backend} backend has no `{rule.attribute}` that can be read.",
            where=f'backend "{backend}"',
            cause="the state of a live test is put beside the one that it names, and it is not"
            " given, or by an expression",
            remedy=f"Give it in the backend block, or with --tf-backend-config"
            f" {rule.attribute}=…: the name that a deployment would use will do, for tests never"
            " touch it.",
        )
    return given if isinstance(given, str) else "terraform.tfstate"


def _no_key(backend: str) -> LiveStateError:
    return LiveStateError(
        f"A live test cannot have a state of its own in a backend of type {backend}.",
        where=f'backend "{backend}"',
        cause="nothing in its configuration stands for a key, so a test would write the state that"
        " the module's deployments use",
        remedy="Give the module a state that is for tests only, for example with"
        " --tf-backend-config, and say so with --tf-live-state own; or run the tests against the"
        " stand-in with --tf-context mock.",
    )


def _too_long(rule: KeyRule, backend: str, base: str, key: str) -> LiveStateError:
    return LiveStateError(
        f"The `{rule.attribute}` of a test's state would be too long.",
        where=f'backend "{backend}", {rule.attribute} {base[:40]}…',
        cause=f"with what tells tests apart it has {len(key)} characters; {rule.limit} are allowed",
        remedy=f"Give a shorter one with --tf-backend-config {rule.attribute}=…",
    )


@dataclass(frozen=True)
class Held:
    """The content of a state. `resources`: their addresses; `outputs`: their names."""

    resources: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether it holds anything."""
        return bool(self.resources or self.outputs)

    def __str__(self) -> str:
        """Return how much, in words."""
        count, outputs = len(self.resources), len(self.outputs)
        if not count:
            return f"{outputs} output{'' if outputs == 1 else 's'}"
        return f"{count} resource{'' if count == 1 else 's'}"


def local_block(file: Path) -> dict[str, str]:
    """Return the configuration of a local backend whose states lie in one folder."""
    return {"path": str(file), "workspace_dir": str(file.with_name("terraform.tfstate.d"))}


def held_by(state: str) -> Held:
    """Read what a state holds: managed resources and outputs, deposed objects included.

    Args:
        state: JSON, as `state pull` prints it; empty where there is none.

    Raises:
        LiveStateError: It cannot be read, so nobody knows what it holds.
    """
    if not state.strip():
        return Held()
    try:
        document = json.loads(state)
        resources = [r for r in document.get("resources") or () if r.get("instances")]
        managed = [r for r in resources if r.get("mode") != "data"]
        return Held(tuple(map(_address, managed)), tuple(document.get("outputs") or ()))
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise LiveStateError(
            "The state cannot be read, so nobody knows what it holds.",
            cause=f"it is no state of Terraform's ({type(error).__name__})",
            remedy="Look at it with `terraform state pull`.",
        ) from None


def _address(resource: Mapping[str, Any]) -> str:
    parts = [resource.get("module", ""), resource["type"], resource["name"]]
    return ".".join(part for part in parts if part)


def foreign_state(place: StatePlace, held: Held, *, module: str, since: str = "") -> TfOidcError:
    """Return the error for a state that holds what this test did not make."""
    named = ", ".join(held.resources[:3]) + (", …" if len(held.resources) > 3 else "")  # noqa: PLR2004 - enough to recognize it
    when = f", last written {since}" if since else ""
    return ForeignStateError(
        f"The state of this live test is not empty: it holds {held}, and this test made none of"
        " them.",
        where=f"{module}; {place}{when}",
        cause=f"it holds {named or ', '.join(held.outputs[:3])}; what a test did not make it"
        " neither changes nor destroys, so nothing was planned or written",
        remedy="If a test run was interrupted and left it, `tfoidc sweep` removes it. If it is a"
        " deployment, leave out --tf-live-state own: then each test has a state of its own.",
    )


def require_no_imports(messages: tuple[dict[str, Any], ...], *, module: str) -> None:
    """Make sure that a plan imports nothing: what exists already is somebody else's.

    Args:
        messages: What `plan -json` printed.
        module: What to name in the error.

    Raises:
        ForeignResourceError: It would import something.
    """
    changes = [m["change"] for m in messages if m.get("type") == "planned_change"]
    imported = [c for c in changes if c.get("action") == "import" or c.get("importing")]
    if imported:
        names = ", ".join(c.get("resource", {}).get("addr", "?") for c in imported)
        raise imports_error(names, module=module)


def require_no_imports_in(plan: Mapping[str, Any], *, module: str) -> None:
    """Make sure of the same for what `show -json` says of a plan.

    Raises:
        ForeignResourceError: It would import something.
    """
    changes = plan.get("resource_changes") or ()
    imported = [c["address"] for c in changes if c.get("change", {}).get("importing")]
    if imported:
        raise imports_error(", ".join(imported), module=module)


def imports_error(names: str, *, module: str) -> ForeignResourceError:
    """Return the error for a module whose `import` blocks would take over what exists."""
    return ForeignResourceError(
        f"A live test never imports: {names} exists already, and so belongs to somebody else.",
        where=module,
        cause="an `import` block would put it into the test's state, and the clean-up would"
        " destroy it",
        remedy="Leave the `import` blocks out of what is tested (they are of use once only), or"
        " run against the stand-in with --tf-context mock.",
    )
