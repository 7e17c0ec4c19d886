from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.errors import ModuleError, PlanError
from pytest_tfoidc.httpserver import LoopbackServer, Request, Response
from pytest_tfoidc.terraform.audit.audit import CachedCredential, audit_path, audit_workspace
from pytest_tfoidc.terraform.audit.finders import sensitive_in_state
from tests.terraform.audit.planfiles import (
    RealTerraform,
    backend_message,
    make_jwt,
    packed,
    plan_message,
    resource,
    state,
    terraform_argv,
    variable_message,
    wire,
    write_plan,
    write_zip,
)

EXPIRY = datetime(2026, 5, 1, 10, 5, tzinfo=timezone.utc)
ISSUER = "https://vstoken.dev.azure.com/org"
SECRET = "bearer/of-the+relay&0815"

CLEAN_AZURERM = {
    "storage_account_name": "account",
    "container_name": "states",
    "key": "module.tfstate",
    "use_oidc": True,
    "use_azuread_auth": True,
    "tenant_id": "00000000-0000-0000-0000-000000000001",
    "client_id": "00000000-0000-0000-0000-000000000002",
    "client_id_file_path": "/run/client-id",
    "client_secret_file_path": "/run/client-secret",
    "client_certificate_path": "/run/certificate.pfx",
    "oidc_token_file_path": "/run/token",
    "oidc_request_url": "https://dev.azure.com/org/oidctoken?api-version=7.1",
    "ado_pipeline_service_connection_id": "00000000-0000-0000-0000-000000000003",
    "oidc_token": None,
    "oidc_request_token": "",
    "client_secret": None,
    "access_key": None,
}
CLEAN_STATE = state(
    outputs={"id": "an id", "flag": True},
    resources=[resource("x", {"id": "1", "input": {"value": "eyJ.not.one", "type": "string"}})],
)
CLEAN_LOCK = 'provider "registry.terraform.io/hashicorp/azurerm" {\n  version = "5.2.0"\n}\n'


def id_token() -> str:
    claims = {"aud": "api://AzureADTokenExchange", "iss": ISSUER, "exp": int(EXPIRY.timestamp())}
    return make_jwt(claims)


def fields(found: tuple[CachedCredential, ...]) -> list[tuple[str, str, str]]:
    return [(credential.file, credential.field, credential.kind) for credential in found]


def backend_cache(kind: str, config: object) -> str:
    return json.dumps({"version": 3, "backend": {"type": kind, "config": config, "hash": 1}})


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Make a folder as it is after init, plan and apply, without a credential in it."""
    (tmp_path / ".terraform").mkdir()
    (tmp_path / "main.tf").write_text('terraform {\n  backend "azurerm" {}\n}\n')
    cache = backend_cache("azurerm", CLEAN_AZURERM)
    (tmp_path / ".terraform" / "terraform.tfstate").write_text(cache)
    (tmp_path / "terraform.tfstate").write_text(CLEAN_STATE)
    (tmp_path / ".terraform.lock.hcl").write_text(CLEAN_LOCK)
    write_plan(
        tmp_path / "tfplan",
        variable_message("name", "value"),
        config=CLEAN_AZURERM,
        entries={
            "tfstate-prev": CLEAN_STATE,
            "tfconfig/m-/main.tf": 'terraform {\n  backend "azurerm" {}\n}\n',
            ".terraform.lock.hcl": CLEAN_LOCK,
        },
    )
    return tmp_path


def audit(workspace: Path) -> tuple[CachedCredential, ...]:
    return audit_workspace(
        workspace,
        plans=[Path("tfplan")],
        secrets=[SECRET],
        states={"remote state": CLEAN_STATE, "other": CLEAN_STATE.encode()},
    )


def test_a_clean_workspace_has_no_findings(workspace: Path) -> None:
    assert audit(workspace) == ()
    assert audit_path(workspace) == ()
    assert audit_path(workspace / "tfplan") == ()


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("oidc_token", "ID token"),
        ("oidc_request_token", "request token"),
        ("client_secret", "client secret"),
        ("client_certificate", "client certificate"),
        ("client_certificate_password", "client certificate password"),
        ("access_key", "storage access key"),
        ("sas_token", "SAS token"),
    ],
)
def test_azurerm_credentials_are_found_by_name(workspace: Path, field: str, kind: str) -> None:
    config = {**CLEAN_AZURERM, field: "any-value"}
    write_plan(workspace / "tfplan", config=config)
    cache = workspace / ".terraform" / "terraform.tfstate"
    cache.write_text(backend_cache("azurerm", config))

    found = audit(workspace)

    where = f"backend azurerm, `{field}`"
    assert fields(found) == [("tfplan", where, kind), (".terraform/terraform.tfstate", where, kind)]
    assert [credential.place for credential in found] == ["plan", "backend cache"]
    assert {credential.set_by for credential in found} == {"-backend-config"}
    for credential in found:
        assert "any-value" not in credential.message
        assert f"leave `{field}` out of the backend configuration" in credential.remedy


@pytest.mark.parametrize(
    ("backend", "config", "field"),
    [
        ("s3", {"access_key": "AKIA", "secret_key": "x" * 9}, "secret_key"),
        (
            "s3",
            {"assume_role_with_web_identity": {"web_identity_token": "x"}},
            "web_identity_token",
        ),
        ("gcs", {"credentials": '{"private_key": "x"}'}, "credentials"),
        ("gcs", {"access_token": "x"}, "access_token"),
        ("http", {"username": "u", "password": "p"}, "password"),
        ("http", {"address": "https://user:password@example.com/state"}, "address"),
        ("pg", {"conn_str": "postgres://user:password@example.com/db"}, "conn_str"),
        ("pg", {"conn_str": "host=example.com password=x"}, "conn_str"),
        ("remote", {"hostname": "example.com", "token": "x"}, "token"),
        ("cloud", {"organization": "o", "token": "x", "workspaces": {"name": "n"}}, "token"),
        ("kubernetes", {"client_certificate": "public", "client_key": "x"}, "client_key"),
    ],
)
def test_other_backends_credentials_are_found_by_name(
    tmp_path: Path, backend: str, config: dict[str, object], field: str
) -> None:
    (found,) = audit_path(write_plan(tmp_path / "tfplan", kind=backend, config=config))

    assert found.field.startswith(f"backend {backend}, `")
    assert found.field.endswith(f"{field}`")
    assert found.kind == "secret"


@pytest.mark.parametrize(
    ("backend", "config"),
    [
        ("s3", {"bucket": "b", "key": "k", "access_key": "AKIA", "secret_key": None}),
        ("gcs", {"credentials": "/run/account.json", "access_token": ""}),
        ("http", {"address": "https://example.com:443/state@1", "password": None}),
        ("pg", {"conn_str": "postgres://user@example.com/db?sslmode=verify-full"}),
        ("local", {"path": "terraform.tfstate"}),
    ],
)
def test_other_backends_without_credentials_are_clean(
    tmp_path: Path, backend: str, config: dict[str, object]
) -> None:
    assert audit_path(write_plan(tmp_path / "tfplan", kind=backend, config=config)) == ()


def test_a_state_stores_provider_is_looked_at(tmp_path: Path) -> None:
    provider = wire(1, "example/store") + wire(3, packed({"token": "x", "region": "y"}))
    store = backend_message("store_blob", {"bucket": "b"}) + wire(4, provider)
    plan = write_zip(tmp_path / "tfplan", {"tfplan": plan_message(wire(29, store))})
    (tmp_path / ".terraform").mkdir()
    block = {"type": "store_blob", "config": {}, "provider": {"config": {"token": "x"}}}
    cache = tmp_path / ".terraform" / "terraform.tfstate"
    cache.write_text(json.dumps({"version": 3, "state_store": block}))

    found = audit_workspace(tmp_path, plans=[plan])

    assert [c.field for c in found] == 2 * ["provider of backend store_blob, `token`"]


def test_the_source_that_set_it_is_named_and_not_told_twice(workspace: Path) -> None:
    token = id_token()
    source = f'terraform {{\n  backend "azurerm" {{\n    oidc_token = "{token}"\n  }}\n}}\n'
    config = {**CLEAN_AZURERM, "oidc_token": token}
    write_plan(workspace / "tfplan", config=config, entries={"tfconfig/m-/backend.tf": source})
    (workspace / "backend.tf").write_text(source)
    (workspace / ".terraform" / "terraform.tfstate").write_text(backend_cache("azurerm", config))

    found = audit(workspace)

    assert [c.field for c in found] == 2 * ["backend azurerm, `oidc_token`"]
    assert {c.set_by for c in found} == {"backend.tf"}
    assert "(set by backend.tf)" in found[0].message


def test_a_source_with_another_value_is_not_named(workspace: Path) -> None:
    source = 'terraform {\n  backend "azurerm" {\n    client_secret = "secret-1 and more"\n  }\n}\n'
    entries = {"tfconfig/m-/main.tf": source}
    write_plan(workspace / "tfplan", config={"client_secret": "secret-1"}, entries=entries)

    (found,) = audit(workspace)

    assert found.set_by == "-backend-config"


def test_the_message_tells_what_when_and_what_to_do(workspace: Path) -> None:
    write_plan(workspace / "tfplan", config={"oidc_token": id_token()})

    (found,) = audit_workspace(
        workspace, plans=[workspace / "tfplan"], used_at=EXPIRY + timedelta(minutes=25)
    )

    assert found.message == (
        "The plan keeps an ID token: backend azurerm, oidc_token\n"
        "Where: tfplan (set by -backend-config)\n"
        "It expired 25m before the apply would have used it: AADSTS700024.\n"
        "Remedy: leave `oidc_token` out of the backend configuration; ARM_OIDC_REQUEST_URL,"
        " ARM_OIDC_REQUEST_TOKEN and ARM_OIDC_AZURE_SERVICE_CONNECTION_ID in the environment"
        " are enough."
    )
    assert str(found) == "tfplan, backend azurerm, `oidc_token`: ID token"
    assert (found.expires_at, found.issuer) == (EXPIRY, ISSUER)


@pytest.mark.parametrize("used_at", [None, EXPIRY - timedelta(seconds=1)])
def test_the_message_tells_when_a_token_will_expire(
    tmp_path: Path, used_at: datetime | None
) -> None:
    plan = write_plan(tmp_path / "tfplan", config={"oidc_token": id_token()})

    (found,) = audit_path(plan, used_at=used_at)

    assert "valid until 2026-05-01 10:05:00 UTC; an apply after that fails" in found.message


def test_the_message_tells_nothing_of_an_expiry_that_is_not_known(tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "tfplan", config={"client_secret": "x"})

    (found,) = audit_path(plan, used_at=EXPIRY)

    assert found.expires_at is None
    assert len(found.message.splitlines()) == 3


def test_a_state_is_not_said_to_be_used(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text(state(outputs={"token": id_token()}))

    (found,) = audit_workspace(tmp_path, used_at=EXPIRY + timedelta(minutes=1))

    assert "AADSTS700024" not in found.message
    assert "would have used" not in found.message


PLANTS: dict[str, Callable[[str], str]] = {
    "alone": lambda secret: secret,
    "inside a text": lambda secret: f"Authorization: Bearer {secret};",
    "in base64": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "in JSON": lambda secret: json.dumps({"a": [secret]}),
}


@pytest.fixture(params=PLANTS)
def plant(request: pytest.FixtureRequest) -> Callable[[str], str]:
    return PLANTS[request.param]


@pytest.fixture(params=["JWT", "known secret"])
def planted(request: pytest.FixtureRequest, plant: Callable[[str], str]) -> str:
    return plant(id_token() if request.param == "JWT" else SECRET)


def test_a_root_variable_is_found(workspace: Path, planted: str) -> None:
    write_plan(workspace / "tfplan", variable_message("creds", {"list": ["x", planted]}))

    (found,) = audit(workspace)

    assert found.field == "root variable `creds.list[1]`"
    assert found.place == "plan"
    assert "ephemeral" in found.remedy


def test_a_backend_attribute_of_any_name_is_found(workspace: Path, planted: str) -> None:
    write_plan(workspace / "tfplan", config={**CLEAN_AZURERM, "oidc_request_url": planted})

    (found,) = audit(workspace)

    assert found.field == "backend azurerm, `oidc_request_url`"


def test_states_inside_a_plan_are_found_once(workspace: Path, planted: str) -> None:
    text = state(resources=[resource("x", {"input": {"value": planted, "type": "string"}})])
    write_plan(workspace / "tfplan", entries={"tfstate": text, "tfstate-prev": text})

    (found,) = audit(workspace)

    assert (found.file, found.field) == ("tfplan", "state, resource terraform_data.x, `input`")


def test_sources_inside_a_plan_are_found(workspace: Path, planted: str) -> None:
    escaped = planted.replace('"', '\\"')
    write_plan(
        workspace / "tfplan",
        entries={"tfconfig/m-child/main.tf": f'locals {{\n\n  token = "{escaped}"\n}}\n'},
    )

    (found,) = audit(workspace)

    assert found.field in {"source child/main.tf, line 3", "source child/main.tf"}


def test_planned_changes_are_found(workspace: Path, planted: str) -> None:
    change = wire(9, wire(1, 1) + wire(2, packed({"input": [b'"string"', planted]})))
    write_plan(workspace / "tfplan", wire(3, wire(13, "terraform_data.x") + change))

    (found,) = audit(workspace)

    assert found.field == "planned change of terraform_data.x"


def test_planned_outputs_are_found(workspace: Path, planted: str) -> None:
    change = wire(2, wire(1, 1) + wire(2, packed([b'"string"', planted])))
    write_plan(workspace / "tfplan", wire(4, wire(1, "token") + change))

    (found,) = audit(workspace)

    assert found.field == "planned output `token`"


def test_parts_of_a_plan_that_nobody_knows_are_found(workspace: Path, planted: str) -> None:
    write_plan(workspace / "tfplan", wire(99, planted))

    (found,) = audit(workspace)

    assert found.field == "another part of the plan"


def test_what_follows_from_a_variable_is_not_told_again(workspace: Path, planted: str) -> None:
    write_plan(
        workspace / "tfplan",
        variable_message("token", planted),
        wire(4, wire(1, "token") + wire(2, wire(2, packed([b'"string"', planted])))),
    )

    (found,) = audit(workspace)

    assert found.field == "root variable `token`"


STATE_FILES = [
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "terraform.tfstate.1777629900.backup",
    "errored.tfstate",
    "other name.tfstate",
    "terraform.tfstate.d/blue/terraform.tfstate",
    "terraform.tfstate.d/blue/terraform.tfstate.backup",
]


@pytest.mark.parametrize("file", STATE_FILES)
def test_every_local_state_is_looked_at(workspace: Path, file: str) -> None:
    (workspace / file).parent.mkdir(parents=True, exist_ok=True)
    (workspace / file).write_text(state(outputs={"token": id_token()}))

    assert fields(audit(workspace)) == [(file, "output `token`", "ID token")]


def test_a_states_fields_are_named(workspace: Path, planted: str) -> None:
    kept = [
        resource("plain", {"id": "1", "output": {"value": {"a": planted}, "type": ["map"]}}),
        resource("keyed", {"id": planted}, index_key="k"),
        {**resource("counted", {"id": planted}, index_key=0), "module": "module.m[0]"},
        {**resource("read", {"list": ["x", {"y": planted}]}), "mode": "data"},
        resource("private", {"id": "1"}, private=planted),
    ]
    (workspace / "terraform.tfstate").write_text(state(outputs={"o": planted}, resources=kept))

    found = audit(workspace)

    assert [c.field for c in found] == [
        "output `o`",
        "resource terraform_data.plain, `output.a`",
        'resource terraform_data.keyed["k"], `id`',
        "resource module.m[0].terraform_data.counted[0], `id`",
        "resource data.terraform_data.read, `list[1].y`",
        "resource terraform_data.private, `private`",
    ]
    assert {c.place for c in found} == {"state"}


def test_remote_states_are_looked_at(workspace: Path, planted: str) -> None:
    text = state(outputs={"token": planted})

    found = audit_workspace(workspace, secrets=[SECRET], states={"a": text, "b": text.encode()})

    assert [(c.file, c.place, c.field) for c in found] == [
        ("a", "state", "output `token`"),
        ("b", "state", "output `token`"),
    ]


def test_the_lock_file_is_looked_at(workspace: Path, plant: Callable[[str], str]) -> None:
    (workspace / ".terraform.lock.hcl").write_text(f"# {plant(id_token())}\n{CLEAN_LOCK}")

    (found,) = audit(workspace)

    assert (found.file, found.place) == (".terraform.lock.hcl", "lock file")
    assert found.field.startswith("its text")


@pytest.mark.parametrize(
    "text",
    ["{} {}", "[{}]", "{}", '"{}"', "{{", '{{"outputs": "{}"}}', '{{"resources": ["{}"]}}'],
)
def test_a_state_that_is_none_is_still_looked_at(tmp_path: Path, text: str) -> None:
    damaged = text.format(id_token(), id_token())
    expected = [("s", "somewhere in the text", "ID token")] if "ey" in damaged else []

    assert fields(audit_workspace(tmp_path, states={"s": damaged})) == expected


@pytest.mark.parametrize(
    "text", ["", "\0\0", "[" * 100_000, "9" * 10_000, '{"backend": {"config": []}}']
)
def test_a_damaged_state_or_cache_is_no_failure(tmp_path: Path, text: str) -> None:
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "terraform.tfstate").write_text(text + id_token())

    assert len(audit_workspace(tmp_path, states={"s": text + id_token()})) == 2
    assert audit_workspace(tmp_path / ".terraform", states={"s": text + "harmless"})[1:] == ()


def test_bytes_that_are_no_text_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_bytes(b"\xff\xfe " + id_token().encode() + b" \xff")

    assert len(audit_workspace(tmp_path)) == 1


def test_keys_that_are_secrets_are_found_and_not_shown(workspace: Path) -> None:
    write_plan(workspace / "tfplan", variable_message("map", {SECRET: SECRET}))

    found = audit(workspace)

    assert [c.field for c in found] == ["root variable `map`", "root variable `map.(redacted)`"]


def test_a_folder_is_audited_with_the_plans_in_it(workspace: Path) -> None:
    write_plan(workspace / "any name", config={"access_key": "x"})
    write_zip(workspace / "other.zip", {"file": "x"})

    (found,) = audit_path(workspace)

    assert (found.file, found.field) == ("any name", "backend azurerm, `access_key`")


def test_a_plan_from_elsewhere_is_named_without_its_folder(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = write_plan(tmp_path_factory.mktemp("x") / "p", config={"access_key": "x"})

    (found,) = audit_workspace(workspace, plans=[plan])

    assert found.file == "p"


def test_what_cannot_be_audited_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no plan")

    with pytest.raises(ModuleError, match="no such folder"):
        audit_workspace(tmp_path / "missing")
    with pytest.raises(PlanError, match="cannot be read"):
        audit_path(tmp_path / "missing")
    with pytest.raises(PlanError, match="not a saved plan"):
        audit_path(tmp_path / "text")
    with pytest.raises(PlanError, match="not a saved plan"):
        audit_workspace(tmp_path, plans=[tmp_path / "text"])


letters = st.text(min_size=12, alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]))


@settings(max_examples=40)
@given(secret=letters, extra=letters)
def test_no_finding_ever_shows_its_value(
    tmp_path_factory: pytest.TempPathFactory, secret: str, extra: str
) -> None:
    token = make_jwt({"iss": secret, "sub": extra})
    folder = tmp_path_factory.mktemp("property")
    planted = {secret: secret, token: token, "k": f"{extra}{secret}"}
    address = wire(13, f'terraform_data.x["{secret}"]')
    write_plan(
        folder / "tfplan",
        variable_message(secret, planted),
        wire(3, address + wire(9, wire(2, packed({"input": f"{extra} {secret} {token}"})))),
        kind=secret,
        config={"client_secret": secret, "oidc_token": token, token: secret},
        entries={f"tfconfig/m-/{secret.replace('/', '')}.tf": f"{secret} {token}"},
    )
    kept = state(outputs={secret: token}, resources=[resource(token, planted, index_key=secret)])

    found = audit_workspace(
        folder, plans=[folder / "tfplan"], secrets=[secret], states={secret: kept, token: kept}
    )

    assert len(found) > 8
    shown = " ".join(f"{c!r} {c} {c.message}" for c in found)
    assert secret not in shown
    assert token not in shown
    assert token.rpartition(".")[0] not in shown


MODULE = """
terraform {
  backend "http" {}
}
variable "token" {
  type      = string
  sensitive = true
}
variable "passing" {
  type      = string
  ephemeral = true
  default   = ""
}
resource "terraform_data" "x" {
  input = { plain = "harmless" }
}
"""


@pytest.fixture(params=["path", "embedded"])
def terraform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealTerraform]:
    """Return a Terraform whose state lies on a server that asks for a password."""
    argv = terraform_argv(request.param)
    if not argv:
        pytest.skip(f"no Terraform: {request.param}")
    kept: list[bytes] = []

    def answer(request: Request) -> Response:
        if base64.b64decode(request.headers["authorization"].split()[1]) != b"user:pass-word-1":
            return Response(status=401)
        if request.method == "POST":
            kept[:] = [request.body]
        return Response(body=kept[0]) if kept else Response(status=404)

    (tmp_path / "main.tf").write_text(MODULE)
    with LoopbackServer(answer) as server:
        yield RealTerraform(argv, tmp_path, {"TF_HTTP_ADDRESS": server.url})


def test_real_terraform_keeps_what_backend_config_sets(terraform: RealTerraform) -> None:
    terraform.run("init", "-backend-config=username=user", "-backend-config=password=pass-word-1")
    terraform.run("plan", "-out=tfplan", "-var=token=harmless")

    found = audit_workspace(terraform.folder, plans=[terraform.folder / "tfplan"])

    assert fields(found) == [
        ("tfplan", "backend http, `password`", "secret"),
        (".terraform/terraform.tfstate", "backend http, `password`", "secret"),
    ]
    assert {credential.set_by for credential in found} == {"-backend-config"}


def in_environment(terraform: RealTerraform) -> RealTerraform:
    login = {"TF_HTTP_USERNAME": "user", "TF_HTTP_PASSWORD": "pass-word-1"}
    return RealTerraform(terraform.argv, terraform.folder, {**terraform.environment, **login})


def test_real_terraform_keeps_nothing_of_the_environment(terraform: RealTerraform) -> None:
    terraform = in_environment(terraform)
    terraform.run("init")
    terraform.run("plan", "-out=tfplan", "-var=token=harmless", f"-var=passing={id_token()}")

    found = audit_workspace(
        terraform.folder, plans=[terraform.folder / "tfplan"], secrets=["pass-word-1"]
    )

    assert found == ()


def test_real_terraform_keeps_root_variables(terraform: RealTerraform) -> None:
    terraform = in_environment(terraform)
    terraform.run("init")
    terraform.run("plan", "-out=tfplan", f"-var=token={id_token()}")

    (found,) = audit_workspace(terraform.folder, plans=[terraform.folder / "tfplan"])

    assert (found.field, found.kind) == ("root variable `token`", "ID token")
    assert (found.expires_at, found.issuer) == (EXPIRY, ISSUER)


def test_real_terraforms_states_are_understood(terraform: RealTerraform) -> None:
    terraform = in_environment(terraform)
    with (terraform.folder / "main.tf").open("a") as module:
        module.write('resource "terraform_data" "y" {\n  for_each = { k = var.token }\n')
        module.write("  input    = [each.value]\n}\n")
        module.write('output "token" {\n  value     = var.token\n  sensitive = true\n}\n')
    terraform.run("init")
    terraform.run("apply", "-auto-approve", f"-var=token=<{SECRET}>")
    terraform.run("plan", "-out=tfplan", "-var=token=harmless")

    remote = terraform.run("state", "pull")
    found = audit_workspace(
        terraform.folder, plans=[Path("tfplan")], secrets=[SECRET], states={"remote": remote}
    )

    expected = ["output `token`"]
    expected += [f'resource terraform_data.y["k"], `{name}[0]`' for name in ("input", "output")]
    assert [c.field for c in found if c.file == "remote"] == expected
    in_plan = {c.field for c in found if c.file == "tfplan"}
    assert in_plan == {f"state, {field}" for field in expected}
    assert len(found) == 2 * len(expected)


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("word", "word"),
        ({"value": "word", "type": "string"}, "word"),  # of terraform_data, which takes any type
        ({"value": {"a": "word"}, "type": ["object", {"a": "string"}]}, {"a": "word"}),
        ({"value": "word", "type": "secret"}, {"value": "word", "type": "secret"}),  # a user's own
        ({"value": "word"}, {"value": "word"}),
    ],
)
def test_of_what_a_state_marks_its_type_is_no_secret(value: object, secret: object) -> None:
    path = [{"type": "get_attr", "value": "input"}]
    instance = {"attributes": {"input": value}, "sensitive_attributes": [path]}
    resources = [{"type": "terraform_data", "name": "kept", "instances": [instance]}]
    assert list(sensitive_in_state(json.dumps({"resources": resources}))) == [secret]
