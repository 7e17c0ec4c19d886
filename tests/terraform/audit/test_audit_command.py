"""`tfoidc audit`: 30 planted credentials are found, and nothing in 30 clean places."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pytest_tfoidc.cli.main import main
from pytest_tfoidc.terraform.audit.command import audit
from tests.terraform.audit.planfiles import variable_message, write_plan

JWT = (
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL3giLCJzdWIiOiJ5IiwiZXhwIjoxOTAwMDAwMDAwfQ."
    "c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
)
OLD_PLANS = Path(__file__).parent / "oldplans"  # of one module, whose variable is a token in some
KEY = "Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYg=="
SAS = "?sv=2022-11-02&ss=b&sig=abcDEF123%2BxyzABCDEFGHIJKLMNOPQRSTUVW%3D"
PEM = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0\\n-----END PRIVATE KEY-----"
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};"
PROVIDER = 'provider "azurerm" {{\n  features {{}}\n  {}\n}}\n'


def state(**outputs: object) -> str:
    values = {n: {"value": v, "type": "string"} for n, v in outputs.items()}
    return json.dumps({"version": 4, "outputs": values, "resources": []})


def resource(attributes: dict[str, object], *sensitive: str) -> str:
    paths = [[{"type": "get_attr", "value": name}] for name in sensitive]
    instance = {"attributes": attributes, "sensitive_attributes": paths}
    one = {"mode": "managed", "type": "t", "name": "n", "instances": [instance]}
    return json.dumps({"version": 4, "outputs": {}, "resources": [one]})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PLANTED = {  # a folder's files, each with one credential
    "provider client_secret": {"main.tf": PROVIDER.format('client_secret = "Zx8~planted.value"')},
    "provider oidc_token": {"main.tf": PROVIDER.format(f'oidc_token = "{JWT}"')},
    "provider request token": {
        "main.tf": PROVIDER.format('oidc_request_token = "planted-token-1"')
    },
    "provider certificate password": {
        "main.tf": PROVIDER.format('client_certificate_password = "planted-word-1"')
    },
    "nested provider password": {
        "main.tf": 'provider "x" {\n  exec {\n    env = { PASSWORD = "planted-word-2" }\n  }\n}\n'
    },
    "provider token": {"main.tf": 'provider "github" {\n  token = "planted-token-2"\n}\n'},
    "provider json": {
        "main.tf.json": json.dumps({"provider": {"azuread": {"client_secret": "planted-3x"}}})
    },
    "tfvars password": {"terraform.tfvars": 'admin_password = "planted-word-4"\n'},
    "tfvars jwt by any name": {"terraform.tfvars": f'innocent = "{JWT}"\n'},
    "tfvars sas": {"prod.auto.tfvars": f'url = "https://a.blob.core.windows.net/c{SAS}"\n'},
    "tfvars json secret": {"terraform.tfvars.json": json.dumps({"client_secret": "planted-5x"})},
    "tfvars nested": {"terraform.tfvars": 'db = { user = "a", password = "planted-word-6" }\n'},
    "tfvars list": {"terraform.tfvars": 'users = [{ access_key = "planted-word-7" }]\n'},
    "tfvars connection string": {"terraform.tfvars": f'queue = "{CONNECTION}"\n'},
    "tfvars private key": {"terraform.tfvars": f'x = "{PEM}"\n'},
    "tfvars github token": {"terraform.tfvars": f'x = "ghp_{"a1B2" * 9}"\n'},
    "redis options": {"terraform.tfvars": 'x = "r.example:6380,password=planted12,ssl=True"\n'},
    "sendgrid key": {"terraform.tfvars": f'x = "SG.{"a1" * 11}.{"b2" * 21}c"\n'},
    "base64 of a machine's data": {"terraform.tfvars": f'data = "{encoded(CONNECTION)}"\n'},
    "a file that cannot be parsed": {"main.tf": f"locals {{ k = <<EOT\n{PEM}\nEOT\n}}\n"},
    "variables that cannot be parsed": {"terraform.tfvars": f'x = [1,\ny = "{CONNECTION}"\n'},
    "tfvars database url": {"terraform.tfvars": 'x = "postgres://u:planted8@db.internal/x"\n'},
    "module url in the manifest": {
        ".terraform/modules/modules.json": json.dumps(
            {"Modules": [{"Key": "n", "Source": "git::https://u:planted9@dev.azure.com/o/_git/r"}]}
        )
    },
    "module token in the manifest": {
        ".terraform/modules/modules.json": json.dumps(
            {"Modules": [{"Key": "n", "Source": f"git::https://{'k3' * 20}@dev.azure.com/o/r"}]}
        )
    },
    "module url in the source": {
        "main.tf": 'module "n" {\n  source = "git::https://u:planted10@host.example/r.git"\n}\n'
    },
    "git config of a module": {
        ".terraform/modules/n/.git/config": '[remote "origin"]\n  url = https://u:planted11@h/r\n'
    },
    "git header of a module": {
        ".terraform/modules/n/.git/config": (
            '[http]\n  extraheader = "AUTHORIZATION: basic dXNlcjpwbGFudGVkLTEy"\n'
        )
    },
    "backend cache": {
        ".terraform/terraform.tfstate": json.dumps(
            {"version": 3, "backend": {"type": "azurerm", "config": {"access_key": KEY}}}
        )
    },
    "backend cache sas": {
        ".terraform/terraform.tfstate": json.dumps(
            {"version": 3, "backend": {"type": "azurerm", "config": {"sas_token": SAS}}}
        )
    },
    "state output": {"terraform.tfstate": state(token=JWT)},
    "state output by name": {"terraform.tfstate": state(admin_password="planted-13x")},
    "state output connection": {"terraform.tfstate": state(conn=CONNECTION)},
    "state backup": {"terraform.tfstate.backup": state(x=JWT)},
    "default of a variable": {"main.tf": 'variable "api_key" {\n  default = "planted-14x"\n}\n'},
    "source comment": {"main.tf": f"# {JWT}\n"},
    "other cloud's key": {"main.tf": 'provider "aws" {\n  secret_key = "planted/16x+abc"\n}\n'},
    "other cloud's json": {
        "main.tf": (
            f'provider "google" {{\n  credentials = jsonencode({{ private_key = "{PEM}" }})\n}}\n'
        )
    },
    "token of a service": {
        "main.tf": 'provider "cloudflare" {\n  api_token = "planted-token-17"\n}\n'
    },
    "header of a provider": {
        "main.tf": (
            'provider "http" {\n  headers = { Authorization = "Bearer planted-token-18-x" }\n}\n'
        )
    },
    "backend block": {
        "main.tf": 'terraform {\n  backend "s3" {\n    secret_key = "planted-19x"\n  }\n}\n'
    },
    "remote state": {
        "main.tf": (
            'data "terraform_remote_state" "x" {\n  backend = "azurerm"\n'
            '  config  = { access_key = "planted-20x" }\n}\n'
        )
    },
    "local": {"main.tf": 'locals {\n  db_password = "planted-21x"\n}\n'},
    "local in jsonencode": {
        "main.tf": 'locals {\n  x = jsonencode({ a = var.a, clientSecret = "planted-22x" })\n}\n'
    },
    "local in a heredoc": {"main.tf": f"locals {{\n  x = <<-EOT\n    {CONNECTION}\n  EOT\n}}\n"},
    "resource": {
        "main.tf": (
            'resource "azurerm_mssql_server" "x" {\n  name = var.name\n'
            '  administrator_login_password = "planted-23x"\n}\n'
        )
    },
    "settings of a resource": {
        "main.tf": (
            'resource "azurerm_linux_web_app" "x" {\n'
            '  app_settings = { NAME = var.name, DB_PASSWORD = "planted-24x" }\n}\n'
        )
    },
    "argument of a module": {
        "main.tf": 'module "x" {\n  source = "./x"\n  admin_password = "planted-25x"\n}\n'
    },
    "output": {
        "main.tf": f'output "x" {{\n  value = "https://a.blob.core.windows.net/c{SAS}"\n}}\n'
    },
    "test": {"tests/a.tftest.hcl": 'variables {\n  admin_password = "planted-26x"\n}\n'},
    "backend file": {"prod.tfbackend": 'access_key = "planted-27x"\n'},
    "settings of the command": {
        ".terraformrc": 'credentials "app.terraform.io" {\n  token = "planted-28x"\n}\n'
    },
    "plan as JSON": {
        "plan.json": json.dumps({"variables": {"password": {"value": "planted-29x"}}})
    },
    "tfvars json in a string": {
        "terraform.tfvars": 'x = "{\\"clientSecret\\":\\"planted-30x\\"}"\n'
    },
    "tfvars camel": {"terraform.tfvars": 'settings = { apiKey = "planted-31x" }\n'},
    "tfvars database": {"terraform.tfvars": 'x = "Server=a;Uid=u;Pwd=planted-32x;"\n'},
    "tfvars token of Azure DevOps": {"terraform.tfvars": f'x = "{"a3b5c7d2" * 6}abcd"\n'},
    "tfvars new token of Azure DevOps": {
        "terraform.tfvars": f'x = "{"A1b2C3d4" * 9}abcdAZDOA1b2"\n'
    },
    "tfvars secret of Entra": {"terraform.tfvars": f'x = "abC8Q~{"ABCDEFGH" * 4}12"\n'},
    "tfvars storage key": {"terraform.tfvars": f'x = "{"aB3+" * 19}+AStabcdeQ=="\n'},
    "tfvars slack": {"terraform.tfvars": f'x = "xoxb-{"1234567890-" * 3}abc"\n'},
    "state sensitive attribute": {
        "terraform.tfstate": resource({"primary_access_key": KEY}, "primary_access_key")
    },
    "state sas": {"terraform.tfstate": resource({"x": [f"https://a/c{SAS}"]})},
    "state private key": {"terraform.tfstate": resource({"x": {"y": PEM.replace("\\n", "\n")}})},
    "module archive": {
        ".terraform/modules/modules.json": json.dumps(
            {"Modules": [{"Key": "n", "Source": f"https://a.blob.core.windows.net/m.zip{SAS}"}]}
        )
    },
    "deeper folder": {"env/prod/terraform.tfvars": 'sas_token = "planted-15x"\n'},
}
HARMLESS_VALUES = (
    *('password_length = "16"', 'key_vault_name = "kv-planted"', 'secret_name = "db-password"'),
    *(
        'token_lifetime = "60m"',
        'use_secret = "true"',
        'ssh_public_key = "ssh-rsa AAAAB3NzaC1yc2E"',
    ),
    *('admin_password = ""', 'password = "${var.x}"', 'client_secret = "<your secret>"'),
    'api_key = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/x)"',
    'private_key = "/run/secrets/key.pem"',
    'connection_string = "https://a.blob.core.windows.net/"',
    'subscription_id = "7e57ab1e-0000-4000-8000-000000000001"',
    'url = "https://example.com/?sig=short&token=x"',
    'tags = { owner = "team", secret_rotation = "90d" }',
    f'digest = "{"ab12" * 10}"',
    f'image = "acr.azurecr.io/app@sha256:{"ab12" * 16}"',
    f'alphabet = "{"abcdefghijklmnopqrstuvwxyz" * 2}"',
    'connection_string = "Server=tcp:a;Authentication=Active Directory Default;"',
    'x = "{\\"clientId\\":\\"7e57ab1e-0000-4000-8000-000000000001\\"}"',
    'key_vault_key_id = "https://kv.vault.azure.net/keys/k/0123"',
)
CLEAN = {
    "base64 of what is no secret": {
        "terraform.tfvars": f'x = "{encoded("packages: [nginx]" * 8)}"\n'
    },
    "a file that is broken": {"main.tf": "locals { x = [1,\n"},
    **{f"variable {n}": {"terraform.tfvars": f"{v}\n"} for n, v in enumerate(HARMLESS_VALUES)},
    "provider": {"main.tf": PROVIDER.format("use_oidc = true")},
    "provider of variables": {"main.tf": PROVIDER.format("client_secret = var.client_secret")},
    "provider of files": {"main.tf": PROVIDER.format('client_secret = file("secret")')},
    "paths": {"main.tf": PROVIDER.format('client_certificate_path = "/c.pfx"')},
    "variables": {"main.tf": 'variable "password" {\n  sensitive = true\n}\n'},
    "empty default": {"main.tf": 'variable "password" {\n  default = ""\n}\n'},
    "null default": {"main.tf": 'variable "password" {\n  default = null\n}\n'},
    "registry module": {"main.tf": 'module "n" {\n  source = "Azure/naming/azurerm"\n}\n'},
    "git module": {"main.tf": 'module "n" {\n  source = "git::ssh://git@github.com/o/r.git"\n}\n'},
    "https module": {
        ".terraform/modules/modules.json": json.dumps(
            {"Modules": [{"Key": "n", "Source": "git::https://org@dev.azure.com/org/p/_git/r"}]}
        )
    },
    "git config": {".terraform/modules/n/.git/config": '[remote "o"]\n  url = https://h/r.git\n'},
    "backend cache": {
        ".terraform/terraform.tfstate": json.dumps(
            {"version": 3, "backend": {"type": "azurerm", "config": {"use_oidc": True}}}
        )
    },
    "state": {"terraform.tfstate": state(name="rg-1", location="westeurope")},
    "empty state": {"terraform.tfstate": state()},
    "resource": {
        "main.tf": (
            'resource "azurerm_x" "x" {\n  admin_password = random_password.x.result\n'
            '  connection_string = "Server=a;Password=${var.p};"\n  token = "a-name"\n}\n'
        )
    },
    "locals": {
        "main.tf": (
            'locals {\n  secret_names = ["a-secret-name"]\n  token = var.token\n'
            '  x = jsonencode({ password = var.p, secret = file("secret.txt") })\n}\n'
        )
    },
    "state attributes": {
        "terraform.tfstate": resource({"password": "", "name": "db-password"}, "password")
    },
    "broken source": {"main.tf": "provider {{{"},
}


def folder(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_credential_is_found_once(tmp_path: Path, name: str) -> None:
    audited = audit(folder(tmp_path, PLANTED[name]))
    assert len(audited.found) == 1
    assert audited.exit_code == 1
    assert Path(audited.found[0].file) == Path(next(iter(PLANTED[name])))


@pytest.mark.parametrize("name", [*PLANTED, *CLEAN])
def test_a_file_by_itself_is_looked_at_as_in_its_folder(tmp_path: Path, name: str) -> None:
    root = folder(tmp_path, {**PLANTED, **CLEAN}[name])
    together = {(one.file, one.field) for one in audit(root).found}
    for file in root.iterdir():
        if file.is_file():
            alone = {(one.file, one.field) for one in audit(file).found}
            assert alone == {one for one in together if one[0] == file.name}


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_found_in_a_clean_folder(tmp_path: Path, name: str) -> None:
    assert audit(folder(tmp_path, CLEAN[name])).found == ()


def test_there_are_enough_of_both() -> None:
    assert len(PLANTED) >= 30
    assert len(CLEAN) >= 30


def test_no_value_is_shown_in_either_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, files in enumerate(PLANTED.values()):
        folder(tmp_path / str(number), files)
    assert main(["audit", str(tmp_path)]) == 1
    assert main(["audit", "--json", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    for trace in (
        "planted-",
        "planted8",
        "planted9",
        "planted1",
        "planted/",
        JWT[:30],
        KEY[:20],
        "abcDEF123",
    ):
        assert trace not in told


def test_json_names_file_field_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(tmp_path, PLANTED["tfvars password"])
    main(["audit", "--json", str(tmp_path)])
    (one,) = json.loads(capsys.readouterr().out)
    (finding,) = one["findings"]
    assert finding["file"] == "terraform.tfvars"
    assert finding["field"] == "variable `admin_password`"
    assert finding["remedy"]


@pytest.mark.parametrize("version", ["1.6.6", "1.8.4", "1.10.5", "1.12.2"])
def test_plans_that_older_terraforms_wrote_are_read(version: str) -> None:
    (found,) = audit(OLD_PLANS / f"planted-{version}.tfplan").found
    assert (found.field, found.kind) == ("root variable `label`", "JWT")
    assert audit(OLD_PLANS / f"clean-{version}.tfplan").found == ()


def test_an_archive_is_unpacked_and_nothing_outside_of_it_is_written(tmp_path: Path) -> None:
    archive = tmp_path / "artifact.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("drop/terraform.tfvars", 'admin_password = "planted-word-4"\n')
        file.writestr("../../outside.tfvars", 'admin_password = "planted-word-5"\n')
    assert [one.file for one in audit(archive).found] == ["drop/terraform.tfvars"]
    assert not (tmp_path.parent / "outside.tfvars").exists()


@pytest.mark.parametrize("text", ["", "no state", "\x00\x01"])
def test_what_is_nothing_of_this_kind_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "x").write_text(text)
    assert main(["audit", str(tmp_path / "x")]) == 2
    assert main(["audit", str(tmp_path / "missing")]) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert told.count("Remedy:") == 2


RESOURCE = """    {
      "mode": "managed",
      "type": "azurerm_thing",
      "name": "number_%d",
      "instances": [
        {
          "attributes": {
            "id": "/subscriptions/7e57ab1e/resourceGroups/rg/providers/x/%d",
            "value": "%s"
          }
        }
      ]
    },
"""


def large_state(path: Path, megabytes: int, planted: str) -> Path:
    filling = "lorem ipsum dolor sit amet " * 80
    size, number = 0, 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{\n  "version": 4,\n  "outputs": {},\n  "resources": [\n')
        while size < megabytes * 1_000_000:
            text = RESOURCE % (number, number, filling)
            if size <= megabytes * 500_000 < size + len(text):
                text = RESOURCE % (number, number, planted)
                text = text.replace(f"number_{number}", "planted")
            size, number = size + file.write(text), number + 1
        file.write('    {}\n  ],\n  "check_results": null\n}\n')
    return path


# The peak of this program alone: what `getrusage` reports begins with that of its parent.
MEASURED = """
import sys
from pytest_tfoidc.cli.main import main
main(sys.argv[1:])
[peak] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak.split()[1], file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("value", "fields"), [(JWT, ["resource azurerm_thing.planted, `value`"]), ("x", [])]
)
def test_a_large_state_is_searched_in_bounded_memory(
    tmp_path: Path, value: str, fields: list[str]
) -> None:
    path = large_state(tmp_path / "terraform.tfstate", 40, value)
    command = [sys.executable, "-c", MEASURED, "audit", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [one["field"] for one in json.loads(done.stdout)[0]["findings"]] == fields
    assert int(done.stderr) < 250_000  # KiB


def test_a_plan_keeps_variables_and_provider_blocks(tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path / "tfplan",
        variable_message("admin_password", "planted-word-1"),
        variable_message("location", "westeurope"),
        entries={
            "tfconfig/modules.json": json.dumps([{"Key": "", "Dir": "."}]),
            "tfconfig/m-/main.tf": PROVIDER.format('client_secret = "planted-word-2"'),
        },
    )
    fields = [one.field for one in audit(plan).found]
    assert fields == [
        "root variable `admin_password`",
        "source main.tf, provider azurerm, `client_secret`",
    ]
