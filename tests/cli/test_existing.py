"""A mistake in `tfoidc mock --existing` is told by the option that was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_tfoidc.cli.main import main


@pytest.mark.parametrize("before", [(), ("--pipeline", "azure-devops")])
def test_a_mistake_names_the_option_that_was_given(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["mock", *before, "--existing", "nowhere", "--", "true"]) == 2
    told = capfd.readouterr().err
    assert "Where: --existing nowhere" in told
    assert "--tf-existing" not in told
