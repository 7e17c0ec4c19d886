"""Options and ini keys, read once into frozen settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfoidc.checks.names import CHECKS
from pytest_tfoidc.clock import parse_duration
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.pipelinekinds import KINDS
from pytest_tfoidc.terraform.source_files import MODULE_PATTERNS

if TYPE_CHECKING:
    from pytest_tfoidc.checks.allowances import CheckAllowances
    from pytest_tfoidc.terraform.upgrade.spec import Step

LIVE_STATES = ("isolated", "own")
CONTEXTS = ("auto", "mock", *KINDS)
DEFAULT_DELAY = timedelta(minutes=30)
TEST_FILES = ("*.tftest.hcl", "*.tftest.json", "*.tofutest.hcl", "*.tofutest.json")


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A jump of the clock as a run starts, or a file's teardown; in every file if `file` is empty.

    `text` is how it was written.
    """

    file: str
    run: str
    by: timedelta
    text: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that the user asked for.

    `delay` and `longest_delay` are None where they were not given; `timeout` is in seconds.
    `progress` is zero for none; `wants_progress`: the user has asked for it.
    """

    modules: tuple[Path, ...] = ()
    context: str = "auto"
    executable: str | None = None
    variables: tuple[str, ...] = ()
    variable_files: tuple[Path, ...] = ()
    backend_config: tuple[tuple[str, str], ...] = ()
    backend_files: tuple[Path, ...] = ()
    delay: timedelta | None = None
    longest_delay: timedelta | None = None
    id_token_command: tuple[str, ...] = ()
    audience: str | None = None
    checks: tuple[str, ...] = CHECKS
    timeout: float | None = None
    separate: bool = False
    keep: bool = False
    relay: bool = True
    live_state: str = LIVE_STATES[0]
    allowed_subscriptions: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    upgrades: tuple[Step, ...] = ()
    upgrade_downgrade: bool = False
    upgrade_override: bool = False
    upgrade_report: Path | None = None
    test_directory: str = "tests"
    test_verbose: bool = False
    parallelism: int | None = None
    run_parallelism: int | None = None
    parallel_modules: int | None = None
    test_jumps: tuple[Jump, ...] = ()
    ledger: Path | None = None
    sweep: bool = False
    deadline: timedelta | None = None
    lock_timeout: str = ""
    allowances: tuple[CheckAllowances, ...] = ()
    strict_identities: bool = False
    identities: tuple[str, ...] = ()
    apply_as: tuple[tuple[str, str], ...] = ()
    existing: tuple[str, ...] = ()
    existing_base: Path = Path()
    existing_draft: Path | None = None
    progress: timedelta = timedelta(seconds=30)
    wants_progress: bool = False
    events: Path | None = None
    reports: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Option:
    """One option: `--tf-NAME` on the command line, `tf_NAME` in the ini file."""

    name: str
    help: str
    metavar: str | None = None
    many: bool = False
    flag: bool = False

    @property
    def key(self) -> str:
        """The ini key, and the name of the parsed value."""
        return "tf_" + self.name.replace("-", "_")


OPTIONS = (
    Option("module", "module under test (repeatable)", "PATH", many=True),
    Option(
        "context",
        f"where ID tokens come from: {', '.join(CONTEXTS)}; auto looks at the environment, and is"
        " the stand-in for Azure where that is no pipeline",
        "NAME",
    ),
    Option(
        "executable",
        "Terraform or OpenTofu: a path, or `embedded`; default: `terraform`, then `tofu` on PATH,"
        " then the embedded one",
        "PATH",
    ),
    Option("var", "a variable of the module, as Terraform's -var (repeatable)", "K=V", many=True),
    Option(
        "var-file", "a file of variables, as Terraform's -var-file (repeatable)", "FILE", many=True
    ),
    Option(
        "backend-config",
        "a value or a file for the backend, as Terraform's -backend-config (repeatable)",
        "K=V|FILE",
        many=True,
    ),
    Option(
        "delay",
        "the delay between plan and apply: on the stand-in a jump of the clock (default 30m), in a"
        " pipeline really waited, and only when given",
        "TIME",
    ),
    Option(
        "delay-max",
        "no real delay is longer than this; 0s skips them (jumps of the stand-in's clock are free)",
        "TIME",
    ),
    Option(
        "id-token-command",
        "a command that prints an ID token, in a shell's quoting; {audience} in it is replaced",
        "COMMAND",
    ),
    Option(
        "audience", "what the federated credential expects, where it is not the usual", "AUDIENCE"
    ),
    Option(
        "check",
        f"a check to make: {', '.join(CHECKS)}, all or none (repeatable, or with commas; "
        "default all)",
        "NAME",
        many=True,
    ),
    Option("timeout", "time limit for one Terraform command", "TIME"),
    Option(
        "deadline",
        "time limit for the whole run: an apply is not begun when its destroy could not finish any"
        " more (default: the job's own limit, where the pipeline tells it)",
        "TIME",
    ),
    Option(
        "lock-timeout",
        "how long to wait for a state that somebody else has locked, as Terraform's -lock-timeout",
        "TIME",
    ),
    Option(
        "ledger",
        "the folder of the ledger: what a live run deploys, until it is destroyed (default .tfoidc"
        " in the root directory)",
        "DIR",
    ),
    Option("sweep", "first destroy what earlier runs have left, as `tfoidc sweep`", flag=True),
    Option(
        "live-state",
        "where the state of a live test is: `isolated` (default), in a place of its own beside the"
        " module's; `own`, where the module's backend says, for a module whose state is for tests"
        " only. A state that holds anything is refused either way",
        "isolated|own",
    ),
    Option(
        "allowed-subscription",
        "the only subscription that a live run may touch (repeatable)",
        "ID",
        many=True,
    ),
    Option("separate", "let each check have a deployment of its own", flag=True),
    Option("keep", "keep the workspaces, and say where they are", flag=True),
    Option("no-relay", "hand the pipeline's own URL and token to Terraform", flag=True),
    Option(
        "upgrade",
        "an upgrade to try: NS/NAME:FROM..TO or terraform:FROM..TO, with versions, constraints,"
        " `locked` or `latest` (repeatable); `|` separates several versions, `+` joins what moves"
        " together",
        "STEP",
        many=True,
    ),
    Option("upgrade-downgrade", "let upgrade steps go down", flag=True),
    Option("upgrade-override", "override constraints of the module in upgrade steps", flag=True),
    Option("upgrade-report", "add the table of upgrades to this Markdown file", "FILE"),
    Option(
        "allow-host",
        "a host that the stand-in's proxy lets through, besides the registries; `*` stands for any"
        " labels (repeatable)",
        "HOST",
        many=True,
    ),
    Option(
        "test-directory",
        "the folder of a module's test files, as terraform test's -test-directory (default tests)",
        "DIR",
    ),
    Option("test-verbose", "let terraform test tell of every plan and state (-verbose)", flag=True),
    Option("parallelism", "as terraform test's -parallelism (Terraform 1.12)", "N"),
    Option("run-parallelism", "as terraform test's -run-parallelism (Terraform 1.13)", "N"),
    Option(
        "parallel-modules",
        "with pytest-xdist: how many workers may apply, destroy or run `terraform test` at once"
        " (default: all)",
        "N",
    ),
    Option(
        "test-jump",
        "let the stand-in's clock jump as a run block starts, or with @teardown for RUN as a test"
        " file's teardown does: --tf-test-jump=@teardown=1h or --tf-test-jump ::@teardown=1h, for"
        " pytest takes a word that begins with @ for a file (repeatable)",
        "[FILE::]RUN=TIME",
        many=True,
    ),
    Option(
        "existing",
        "what is there beforehand on the stand-in: a Terraform module, which is applied first"
        " (PATH,key=… or PATH,backend-config=FILE: with this backend configuration;"
        " PATH,var-file=FILE: with these variables),"
        " or a JSON or YAML file of resources as `az … -o json` prints them (repeatable)",
        "PATH",
        many=True,
    ),
    Option(
        "existing-draft",
        "write a stub to this file for each read that found nothing on the stand-in",
        "FILE",
    ),
    Option(
        "strict-identities",
        "refuse every subscription, tenant, client, service connection and organization on the"
        " stand-in that is neither the job's own nor listed with --tf-identity",
        flag=True,
    ),
    Option(
        "identity",
        "what may be used with --tf-strict-identities: subscription=, tenant=, client=,"
        " connection= or organization= and an id (repeatable)",
        "KIND=ID",
        many=True,
    ),
    Option(
        "apply-as",
        "another identity for apply, destroy and test than for plan: client=ID, and on Azure DevOps"
        " connection=ID (repeatable)",
        "KIND=ID",
        many=True,
    ),
    Option(
        "progress",
        "say every TIME what Terraform is busy with (default 30s; 0 for never); on a terminal it is"
        " a live line",
        "TIME",
    ),
    Option("events", "write every event to this file as it happens, a line of JSON each", "FILE"),
    Option(
        "report",
        "write the evidence of the run to this file, whose ending says in which form: .html (a page"
        " with a timeline), .md, .json, or .svg (the timeline alone) (repeatable)",
        "FILE",
        many=True,
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare every option, and the ini key of the same name."""
    group = parser.getgroup("tfoidc", "Terraform with OIDC (pytest-tfoidc)")
    for option in OPTIONS:
        arguments: dict[str, Any] = {"dest": option.key, "default": None, "help": option.help}
        if option.flag:
            arguments["action"] = "store_true"
        else:
            arguments["metavar"] = option.metavar
            arguments["action"] = "append" if option.many else "store"
        group.addoption(f"--tf-{option.name}", **arguments)
        kind: Any = "bool" if option.flag else "linelist" if option.many else "string"
        parser.addini(option.key, option.help, type=kind, default=None)


@dataclass(frozen=True)
class _Values:
    """The options' texts, and the folder that paths among them are relative to."""

    config: pytest.Config

    def _given(self, name: str) -> tuple[Any, Path]:
        key = Option(name, "").key
        value = self.config.getoption(key)
        if value is not None:
            return value, Path(self.config.invocation_params.dir)
        return self.config.getini(key), (self.config.inipath or self.config.rootpath).parent

    def flag(self, name: str) -> bool:
        return bool(self._given(name)[0])

    def one(self, name: str) -> str | None:
        value: str | None = self._given(name)[0]
        return value

    def many(self, name: str) -> tuple[str, ...]:
        return tuple(self._given(name)[0] or ())

    def base(self, name: str) -> Path:
        return self._given(name)[1]


def settings_of(config: pytest.Config) -> Settings:
    """Read the settings; the command line wins over the ini file.

    Raises:
        UsageError: An option cannot be used as it was given.
    """
    values = _Values(config)
    delay, timeout = values.one("delay"), values.one("timeout")
    longest, deadline = values.one("delay-max"), values.one("deadline")
    return Settings(
        modules=_modules(
            values.many("module"),
            values.base("module"),
            test_directory=values.one("test-directory") or "tests",
        ),
        context=_known("--tf-context", values.one("context") or "auto", CONTEXTS),
        executable=values.one("executable") or None,
        variables=tuple("=".join(_pair("--tf-var", text)) for text in values.many("var")),
        variable_files=tuple(
            _file("--tf-var-file", values.base("var-file") / text)
            for text in values.many("var-file")
        ),
        backend_config=tuple(
            _pair("--tf-backend-config", text)
            for text in values.many("backend-config")
            if "=" in text
        ),
        backend_files=tuple(
            _file("--tf-backend-config", values.base("backend-config") / text)
            for text in values.many("backend-config")
            if "=" not in text
        ),
        delay=_duration("--tf-delay", delay) if delay is not None else None,
        longest_delay=_duration("--tf-delay-max", longest) if longest is not None else None,
        id_token_command=_command(values.one("id-token-command")),
        audience=values.one("audience"),
        checks=_checks(values.many("check")),
        timeout=None if timeout is None else _duration("--tf-timeout", timeout).total_seconds(),
        separate=values.flag("separate"),
        keep=values.flag("keep"),
        relay=not values.flag("no-relay"),
        live_state=_known(
            "--tf-live-state", values.one("live-state") or LIVE_STATES[0], LIVE_STATES
        ),
        allowed_subscriptions=tuple(map(_guid, values.many("allowed-subscription"))),
        allowed_hosts=tuple(host.lower() for host in values.many("allow-host")),
        upgrades=_upgrades(values),
        upgrade_downgrade=values.flag("upgrade-downgrade"),
        upgrade_override=values.flag("upgrade-override"),
        upgrade_report=_beside(values, "upgrade-report"),
        test_directory=values.one("test-directory") or "tests",
        test_verbose=values.flag("test-verbose"),
        parallelism=_positive("--tf-parallelism", values.one("parallelism")),
        run_parallelism=_positive("--tf-run-parallelism", values.one("run-parallelism")),
        parallel_modules=_positive("--tf-parallel-modules", values.one("parallel-modules")),
        test_jumps=tuple(map(_jump, values.many("test-jump"))),
        ledger=_ledger(values),
        sweep=values.flag("sweep"),
        deadline=None if deadline is None else _duration("--tf-deadline", deadline),
        lock_timeout=_lock_timeout(values.one("lock-timeout")),
        allowances=_allowances(values),
        strict_identities=values.flag("strict-identities"),
        identities=values.many("identity"),
        apply_as=tuple(map(_identity, values.many("apply-as"))),
        existing=values.many("existing"),
        existing_base=values.base("existing"),
        existing_draft=_beside(values, "existing-draft"),
        progress=_period(values.one("progress")),
        wants_progress=bool(values.one("progress")),
        events=_beside(values, "events"),
        reports=tuple(values.base("report") / name for name in values.many("report")),
    )


def _upgrades(values: _Values) -> tuple[Step, ...]:
    given = values.many("upgrade")
    if values.config.getoption("tf_upgrade") and not values.many("module"):
        raise UsageError(
            "There is no module to upgrade.",
            where="--tf-upgrade",
            remedy="Name one with --tf-module PATH.",
        )
    pyproject = values.config.rootpath / "pyproject.toml"
    if not values.many("module") or not (given or pyproject.is_file()):
        return ()
    from pytest_tfoidc.terraform.upgrade.suite import upgrade_steps  # noqa: PLC0415 - not in every run

    return upgrade_steps(
        given,
        pyproject=pyproject,
        downgrade=values.flag("upgrade-downgrade"),
        override=values.flag("upgrade-override"),
    )


def _allowances(values: _Values) -> tuple[CheckAllowances, ...]:
    pyproject = values.config.rootpath / "pyproject.toml"
    if not values.many("module") or not pyproject.is_file():
        return ()
    from pytest_tfoidc.checks.allowances import check_allowances  # noqa: PLC0415 - not in every run

    return check_allowances(pyproject)


def _report(values: _Values) -> Path | None:
    given = values.one("upgrade-report")
    return values.base("upgrade-report") / given if given else None


def _beside(values: _Values, name: str) -> Path | None:
    given = values.one(name)
    return values.base(name) / given if given else None


def _identity(text: str) -> tuple[str, str]:
    kind, name = _pair("--tf-apply-as", text)
    _known("--tf-apply-as", kind, ("client", "connection"))
    if not _is_guid(name):
        raise UsageError(
            f"{name!r} is no {kind}.", where="--tf-apply-as", cause=f"the id of a {kind} is a GUID"
        )
    return kind, name.strip()


def _ledger(values: _Values) -> Path | None:
    given = values.one("ledger")
    return Path(os.path.normpath(values.base("ledger") / given)) if given else None


def _lock_timeout(text: str | None) -> str:
    """Return it as Terraform takes it: Go knows no days."""
    if text is None:
        return ""
    return f"{_duration('--tf-lock-timeout', text).total_seconds():g}s"


def _modules(texts: tuple[str, ...], base: Path, *, test_directory: str) -> tuple[Path, ...]:
    modules = tuple(Path(os.path.normpath(base / text)) for text in texts)
    for module in modules:
        _validate_module(module, test_directory=test_directory)
    return tuple(dict.fromkeys(modules))


def _validate_module(module: Path, *, test_directory: str) -> None:
    remedy = "Give the folder of a root module: the one that holds its .tf files."
    if not module.exists():
        raise UsageError("There is no such module.", where=f"--tf-module {module}", remedy=remedy)
    if not module.is_dir():
        raise UsageError("A module is a folder.", where=f"--tf-module {module}", remedy=remedy)
    files = [
        *((module, pattern) for pattern in (*MODULE_PATTERNS, *TEST_FILES)),
        *((module / test_directory, pattern) for pattern in TEST_FILES),
    ]
    if not any(next(folder.glob(pattern), None) for folder, pattern in files):
        raise UsageError(
            "The folder holds no Terraform module: there is no .tf file in it.",
            where=f"--tf-module {module}",
            remedy=remedy,
        )


def _known(option: str, name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        import difflib  # noqa: PLC0415 - for a mistake only

        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"{name!r} is not known.", where=option, remedy=f"{hint}Use one of: {', '.join(names)}."
        )
    return name


def _checks(names: tuple[str, ...]) -> tuple[str, ...]:
    given = [part.strip() for name in names or ("all",) for part in name.split(",")]
    wanted = [_known("--tf-check", name, (*CHECKS, "all", "none")) for name in given]
    if "all" in wanted:
        return CHECKS
    return tuple(check for check in CHECKS if check in wanted)


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(
            f"{name!r} has no value.", where=option, remedy="Write NAME=VALUE, as for Terraform."
        )
    return name.strip(), value


def _file(option: str, path: Path) -> Path:
    if not path.is_file():
        raise UsageError(
            "There is no such file.",
            where=f"{option} {path}",
            remedy="Correct the path; it is relative to where pytest was started.",
        )
    return path.absolute()


def _period(text: str | None) -> timedelta:
    if text is None:
        return Settings.progress
    return timedelta() if text.strip() == "0" else _duration("--tf-progress", text)


def _duration(option: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except UsageError as error:
        raise UsageError(error.what, where=option, remedy=error.remedy) from error


def _command(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    from pytest_tfoidc.identity.variables import split_command  # noqa: PLC0415 - not in every run

    return split_command(text, option="--tf-id-token-command")


def _is_guid(text: str) -> bool:
    from pytest_tfoidc.identity.variables import GUID  # noqa: PLC0415 - not in every run

    return GUID.fullmatch(text.strip()) is not None


def _guid(text: str) -> str:
    if not _is_guid(text):
        raise UsageError(
            f"{text!r} is not the id of a subscription.",
            where="--tf-allowed-subscription",
            remedy="Give its id, a GUID: az account show --query id",
        )
    return text.strip().lower()


def _positive(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(f"{text!r} is no number.", where=option, remedy="Use 1, 2, 3 and so on.")
    return int(text)


def _jump(text: str) -> Jump:
    place, equals, duration = text.rpartition("=")
    file, _, run = place.strip().rpartition("::")
    if not equals or not run:
        raise UsageError(
            f"{text!r} is no jump.",
            where="--tf-test-jump",
            remedy="Write RUN=TIME, FILE::RUN=TIME or @teardown=TIME, as in second_run=1h or"
            " --tf-test-jump=@teardown=1h (with `=`, or as ::@teardown=1h: pytest takes a word that"
            " begins with @ for a file of arguments).",
        )
    return Jump(file=file, run=run, by=_duration("--tf-test-jump", duration), text=text)
