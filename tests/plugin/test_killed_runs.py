"""A run that is killed in the middle of an apply leaves events of which every report is made."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tfoidc.cli.main import main

EXECUTABLE = os.environ.get("TFOIDC_TEST_EXECUTABLE")
BUSY = """\
terraform {{
  backend "azurerm" {{}}
}}

resource "terraform_data" "quick" {{}}

resource "terraform_data" "slow" {{
  depends_on = [terraform_data.quick]

  provisioner "local-exec" {{
    command = "echo $PPID > '{started}' && cat '{started}'"
  }}
}}
"""


def killed_in_an_apply(folder: Path, *arguments: str) -> None:
    """Run pytest, and kill it when an apply is busy; Terraform is gone then, too."""
    os.mkfifo(started := folder / "started")
    (folder / "module").mkdir()
    (folder / "module" / "main.tf").write_text(BUSY.format(started=started), encoding="utf-8")
    executable = [f"--tf-executable={EXECUTABLE}"] if EXECUTABLE else []
    plain = ("-p", "no:cacheprovider", "-p", "no:terraform", "-p", "no:randomly")
    asked = ("--tf-module=module", "--tf-check=delayed_apply", "--tf-context=mock", *arguments)
    command = (sys.executable, "-m", "pytest", *plain, *executable, *asked)
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as child:
        terraform = int(started.read_text(encoding="utf-8"))  # blocks until an apply is at it
        child.kill()
    assert child.returncode == -signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):  # it was ended when its parent died
        os.killpg(os.getpgid(terraform), signal.SIGKILL)


def test_what_a_killed_run_has_done_until_then_is_in_every_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)
    killed_in_an_apply(tmp_path, "--tf-events=events.jsonl", "--tf-report=live.html")
    assert not (tmp_path / "live.html").exists()
    events = (tmp_path / "events.jsonl").read_text("utf-8")
    cut = tmp_path / "cut.jsonl"  # as it is where the disk has taken half a line
    cut.write_text(events[: events.rindex('"event"') + 20], encoding="utf-8")
    for file in ("events.jsonl", cut.name):
        reports = [tmp_path / f"{file}.{form}" for form in ("html", "md", "json", "svg")]
        asked = [f"-o{report}" for report in reports]
        assert main(["report", str(tmp_path / file), *asked]) == 0, capsys.readouterr().err
        page, markdown, told, picture = (report.read_text("utf-8") for report in reports)
        for text in (page, markdown):
            assert re.search(r"Did not end: module::oidc::delayed(_|&#95;)apply", text)
            assert "no test ended" in text
        assert "module apply, which did not end" in page
        assert "module apply, which did not end" in picture
        (run,) = json.loads(told)["runs"]
        assert run["unended"] == ["module::oidc::delayed_apply"]
        assert run["timeline"]["commands"][""][-1]["is_bad"]
        assert run["timeline"]["id_tokens"]
        assert bool(json.loads(told)["notes"]) == (file == cut.name)
