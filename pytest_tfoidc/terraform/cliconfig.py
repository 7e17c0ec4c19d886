"""Terraform's CLI configuration, whose relative paths mean what they mean where the user started.

Terraform takes them from the folder that it runs in, which is a copy's here. The file may hold
credentials, so what is written in its place is for its owner alone, and removed at the end.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLES = ("TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG", "TOFU_CLI_CONFIG_FILE")
# `path` of a mirror, `plugin_cache_dir`, and the providers of `dev_overrides`; HCL 1 or JSON, and
# what a comment says may be changed with it.
PATH = re.compile(
    r"""(?P<key>(?:\bpath|\bplugin_cache_dir|"(?:path|plugin_cache_dir|[^"\s]+/[^"\s]+)")\s*[=:]\s*)
    "(?P<path>(?:[^"\\\n]|\\.)*)\"""",
    re.VERBOSE,
)
ELSEWHERE = ("$", "~")  # what Terraform expands, or takes as it is


def with_absolute_paths_inside(
    variables: Mapping[str, str], started: Path, *, remove: Callable[[Path], object]
) -> dict[str, str]:
    """Return an environment whose CLI configuration leads to where it led in a folder.

    Args:
        variables: The environment; the paths in its own variables are absolute.
        started: The folder.
        remove: Is told each file that is to be removed at the end.
    """
    found = dict(variables)
    for name in VARIABLES:
        text = _read(variables.get(name, ""))
        changed = PATH.sub(lambda match: _absolute(match, started), text)
        if changed != text:
            handle, file = tempfile.mkstemp(prefix="tfoidc-cli-", suffix=".tfrc")  # mode 0600
            remove(Path(file))
            with os.fdopen(handle, "w", encoding="utf-8") as copy:
                copy.write(changed)
            found[name] = file
    return found


def _read(file: str) -> str:
    """Return what a file holds; nothing where Terraform is the one to say what is wrong."""
    try:
        return Path(file).read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _absolute(match: re.Match[str], started: Path) -> str:
    try:
        path = json.loads(f'"{match["path"]}"')
    except ValueError:  # an escape that JSON does not have
        return match[0]
    if not path or Path(path).is_absolute() or path.startswith(ELSEWHERE):
        return match[0]
    return match["key"] + json.dumps(os.path.normpath(started / path), ensure_ascii=False)
