"""Variables of the environment that hold paths: they mean what they mean where the user started."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pytest_tfoidc.terraform import logfile
from pytest_tfoidc.terraform.isolation import IsolatedCopy

# Of Terraform, and of what it and its providers run.
PATHS = frozenset(
    {
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AZURE_CONFIG_DIR",
        "CURL_CA_BUNDLE",
        "DOCKER_CONFIG",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CREDENTIALS",
        "HELM_CONFIG_HOME",
        "HELM_PLUGINS",
        "HELM_REPOSITORY_CACHE",
        "HELM_REPOSITORY_CONFIG",
        "KUBE_CONFIG_PATH",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TERRAFORM_CONFIG",
        "TF_CLI_CONFIG_FILE",
        logfile.VARIABLE,
        "TF_PLUGIN_CACHE_DIR",
        "TF_TEMP_LOG_PATH",
        "TOFU_CLI_CONFIG_FILE",
    }
)
LISTS = frozenset({"KUBECONFIG", "KUBE_CONFIG_PATHS", "PATH", "PYTHONPATH"})
VARIABLE = "TF_VAR_"
RELATIVE = ("./", "../")


def with_absolute_paths(variables: Mapping[str, str], started: Path) -> dict[str, str]:
    """Return an environment whose relative paths lead to where they led in a folder.

    Args:
        variables: The environment.
        started: The folder.
    """
    found = dict(variables)
    for name, value in variables.items():
        if name in LISTS:
            parts = [_absolute(part, started) for part in value.split(os.pathsep)]
            found[name] = os.pathsep.join(parts)
        elif name in PATHS:
            found[name] = _absolute(value, started)
    return found


def _absolute(value: str, started: Path) -> str:
    """Return a path as an absolute one; what is empty, a home folder or JSON is left alone."""
    is_path = value and not value.startswith(("~", "{")) and "\n" not in value
    if not is_path or os.path.isabs(value):
        return value
    return os.path.normpath(started / value)


def prepare_log(variables: Mapping[str, str]) -> None:
    """Make the log that the user asked for, for its owner alone, before Terraform makes it.

    Args:
        variables: Terraform's environment.
    """
    path = variables.get(logfile.VARIABLE)
    is_wanted = path and any(variables.get(switch) for switch in logfile.LEVELS)
    if not is_wanted or os.path.lexists(path or ""):
        return
    try:
        os.close(os.open(path or "", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:  # Terraform says it
        return


def with_paths_of_variables(
    variables: Mapping[str, str], copy: IsolatedCopy, *, started: Path
) -> dict[str, str]:
    """Return an environment whose TF_VAR_… lead from the copy to what they name.

    A value is the module's own business, so it is changed only where it is written as a relative
    path, leads to something where the user started, and to nothing from the module.

    Args:
        variables: The environment.
        copy: The module's copy.
        started: Where the user started.
    """
    found = dict(variables)
    for name, value in variables.items():
        if name.startswith(VARIABLE) and value.startswith(RELATIVE):
            meant = Path(os.path.normpath(started / value))
            if meant.exists() and not (copy.path / value).exists():
                found[name] = _seen_from(copy, meant)
    return found


def _seen_from(copy: IsolatedCopy, meant: Path) -> str:
    place = copy.of(meant)
    if place == meant or not place.exists():
        return str(meant)
    path = os.path.relpath(place, copy.path)
    return path if path.startswith("..") else f"./{path}"
