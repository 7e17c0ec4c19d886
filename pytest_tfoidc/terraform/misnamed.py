"""Arguments of an azurerm backend block that such a backend does not have.

`terraform init` tells them only where it is given no backend configuration; here it always is.
So Terraform is asked about those that are not known here, and about them alone.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_tfoidc import processes, shortages
from pytest_tfoidc.terraform.audit.finders import AZURERM
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.module import Backend

ERROR = re.compile(r"^(?=Error: )", re.MULTILINE)
UNSUPPORTED = ("Error: Unsupported argument", "Error: Extraneous JSON object property")
SECONDS = 60.0
# Of any version of Terraform or OpenTofu; a newer one's are asked for.
KNOWN = frozenset(
    {
        "access_key",
        "ado_pipeline_service_connection_id",
        "client_certificate",
        "client_certificate_password",
        "client_certificate_path",
        "client_id",
        "client_id_file_path",
        "client_secret",
        "client_secret_file_path",
        "container_name",
        "endpoint",
        "environment",
        "key",
        "lookup_blob_endpoint",
        "metadata_host",
        "msi_endpoint",
        "oidc_request_token",
        "oidc_request_url",
        "oidc_token",
        "oidc_token_file_path",
        "resource_group_name",
        "sas_token",
        "snapshot",
        "storage_account_name",
        "subscription_id",
        "tenant_id",
        "timeout_seconds",
        "use_aks_workload_identity",
        "use_azuread_auth",
        "use_cli",
        "use_msi",
        "use_oidc",
    }
)


def misnamed(backend: Backend, *, argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return what Terraform says of arguments that a backend does not have; empty for none.

    Args:
        backend: The module's own.
        argv: How Terraform is started.
        environment: That of Terraform.
    """
    unknown = backend.names - KNOWN
    if backend.type != AZURERM or not unknown:
        return ""
    folder = Path(tempfile.mkdtemp(prefix="tfoidc-backend-"))
    try:
        (folder / backend.file.name).write_text(_only(backend, unknown), encoding="utf-8")
        done = processes.run(
            [*argv, "init", "-input=false", "-no-color"],
            environment=environment,
            directory=folder,
            seconds=SECONDS,
        )
    except (OSError, parser.HclError):
        return ""
    finally:
        shortages.remove_tree(folder)
    return "".join(said for said in ERROR.split(done.stderr) if said.startswith(UNSUPPORTED))


def _only(backend: Backend, names: frozenset[str]) -> str:
    """Write a file with some arguments of a backend alone, each where it stands in the module's.

    What the backend cannot do without is left out: so Terraform goes no further than the block.
    """
    if backend.file.name.endswith(".json"):
        block = {"backend": {backend.type: dict.fromkeys(sorted(names))}}
        return "\n" * (backend.line - 1) + json.dumps({"terraform": block})
    found = {
        attribute.line: f"{name} = {attribute.text}"
        for settings in parser.parse_file(backend.file).of_type("terraform")
        for block in settings.body.of_type("backend")
        for name, attribute in block.body.attributes.items()
        if name in names
    }
    head = f'backend "{backend.type}" {{'
    if backend.line in found:  # all in one line: then there is one argument
        lines = {backend.line: f"{head} {found[backend.line]} }}"}
    else:
        lines = {backend.line: head, **found, max(found, default=backend.line) + 1: "}"}
    lines = {backend.line - 1: "terraform {", **lines, max(lines) + 1: "}"}
    return "\n".join(lines.get(number, "") for number in range(1, max(lines) + 1)) + "\n"
