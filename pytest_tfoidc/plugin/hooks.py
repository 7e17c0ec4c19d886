"""The plugin's hooks. They declare and hand on; what is decided is decided elsewhere.

pytest loads this in every run of every project that has the plugin installed, so nothing heavy is
imported here. PYTEST_DONT_REWRITE: it is found as it was installed.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_tfoidc.plugin import (
    azureclients,
    deployment,
    fixtures,
    items,
    modules,
    options,
    outlets,
    runblock_reports,
    runblocks,
    stopping,
    upgrades,
)
from pytest_tfoidc.plugin import run as pytestrun
from pytest_tfoidc.plugin.run import EVIDENCE, REPORT_KEY, RUN

pytest_plugins = ("pytest_tfoidc.plugin.fixtures",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.add_options(parser)
    deployment.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, and choose what to collect."""
    config.addinivalue_line("markers", "tfoidc: a check that pytest-tfoidc makes for a module")
    config.addinivalue_line("markers", "tf_test: a run block of a module's test files")
    config.addinivalue_line("markers", "tf_upgrade: a step of an upgrade of a module")
    config.addinivalue_line(
        "markers", "tf_test_jump(time): the stand-in's clock jumps as this run block starts"
    )
    config.addinivalue_line(
        "markers", "tf_variables(**variables): variables for the fixture tf_module, of any type"
    )
    deployment.scope_of(config)
    pytestrun.configure(config)
    config.pluginmanager.register(outlets.Outlets(config.stash[RUN], config), "tfoidc-outlets")
    upgrades.register(config)
    config.pluginmanager.register(runblock_reports.RunReport(config), "tfoidc-runs")
    config.pluginmanager.register(modules.ForeignTests(config), "tfoidc-foreign-tests")
    modules.choose_arguments(config)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start early where a module is under test, so that what is wrong is said once."""
    run = session.config.stash[RUN]
    if run.settings.existing and not run.settings.modules:
        with pytestrun.usage_errors():
            _ = run.session
    if run.settings.modules:
        with pytestrun.usage_errors():
            run.require_readable_modules()
            _ = run.executable
            run.describe()
            runblocks.validate(session.config)
            run.look_ahead()
            if not hasattr(session.config, "workerinput"):  # the controller of xdist does it
                run.sweep(pytestrun.teller(session.config))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which Terraform and which context this is."""
    run = config.stash[RUN]
    return run.header() if run.settings.modules else []


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> list[str]:
    """Say what a live run will leave behind on purpose."""
    return runblocks.kept_resources(config, items)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out of a module under test what pytest would follow for ever."""
    return modules.is_circle(collection_path, config) or None


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a module under test."""
    return modules.directory(path, parent)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the run blocks of a module under test."""
    return runblocks.collect_file(file_path, parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that use `tf_module` for each module."""
    fixtures.parametrize(metafunc)


@pytest.hookimpl(trylast=True)  # after what shuffles
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not selected, and keep the run blocks of a file together."""
    modules.deselect(config, items)
    runblocks.keep_files_together(items)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist's
    """Tell a worker which live run it is a part of."""
    pytestrun.tell_worker(node.config, node.workerinput)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's
    """Keep the run blocks of a file on one worker."""
    if not config.stash[RUN].settings.modules:
        return None
    from pytest_tfoidc.plugin import xdist  # noqa: PLC0415 - imports pytest-xdist

    return xdist.scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lead a test's Azure SDK clients to the stand-in."""
    with azureclients.led(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Lead the Azure SDK clients of fixtures that end now to the stand-in."""
    with azureclients.led_to_the_end(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what an item has shown travel with its last report."""
    report = yield
    pytestrun.note_failure(item, report)
    pytestrun.show_stand_in(item, report)
    if call.when == "teardown" and EVIDENCE in item.stash:
        module, evidence = item.stash[EVIDENCE]
        setattr(report, REPORT_KEY, {"module": module, **evidence.as_json()})
    if isinstance(item, modules.CheckItem):
        modules.complete_report(item, report)
    items.add_shown(item, report)
    upgrades.carry_row(item, report)
    runblocks.carry_missing(item, call, report)
    if isinstance(item, pytest.Function) and call.excinfo is not None:
        from pytest_tfoidc.plugin import python_failures  # noqa: PLC0415 - for failures only

        python_failures.complete_report(item, call, report)
    item.config.stash[RUN].carry_told(report)
    if isinstance(item, runblocks.RunItem):
        return runblock_reports.complete_report(item, call, report)
    return report


def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: object, right: object
) -> list[str] | None:
    """Explain a failed comparison of secrets without showing them."""
    if not config.stash[RUN].is_hiding:
        return None
    from pytest_tfoidc.identity.secret import compared_without_secrets  # noqa: PLC0415 - heavy

    return compared_without_secrets(op, left, right)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """End in order, and say what remains, whatever becomes of pytest's own reports."""
    run = session.config.stash.get(RUN, None)
    if run is None:
        return (yield)
    run.stopping.finish(session)
    if run.user_existing is not None:
        run.user_existing.finish(session)
    try:
        run.stopping.tell_controller(run.kept)
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            run.tell_controller(output)
        return (yield)
    finally:
        run.stopping.speak_at_once()
        run.stopping.is_over = True


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:  # noqa: ANN401 - pytest-timeout's
    """Let Terraform end in order before pytest-timeout ends the process."""
    return stopping.set_timer(item, settings, item.config.stash[RUN].stopping)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> Generator[None, object, object]:
    """Close what was opened, also where pytest cannot say its last words: its terminal is gone."""
    try:
        return (yield)
    finally:
        run = config.stash.get(RUN, None)
        if run is not None:
            run.close()
