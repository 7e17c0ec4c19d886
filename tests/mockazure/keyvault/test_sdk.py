"""Microsoft's own clients of Key Vault talk to the stand-in through its proxy."""

# ruff: noqa: ANN401 - the packages have no types where they are not installed

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pytest_tfoidc.clock import real_now

secrets: Any = pytest.importorskip("azure.keyvault.secrets", reason="not installed")
keys: Any = pytest.importorskip("azure.keyvault.keys", reason="not installed")
crypto: Any = pytest.importorskip("azure.keyvault.keys.crypto", reason="not installed")
certificates: Any = pytest.importorskip("azure.keyvault.certificates", reason="not installed")

from azure.core.exceptions import (  # noqa: E402 - after the check that it is there
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from cryptography import x509  # noqa: E402 - the same
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402 - the same
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402 - the same
from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: E402 - the same

from tests.mockazure.vaultkit import Someone, World  # noqa: E402 - the same

STRANGER = "99999999-0000-0000-0000-000000000000"
OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"  # Key Vault Secrets Officer


@pytest.fixture
def sdk(here: World) -> Iterator[Any]:
    with secrets.SecretClient(here.vault(), **here.me.options()) as client:
        yield client


@pytest.fixture
def key_client(here: World) -> Iterator[Any]:
    with keys.KeyClient(here.vault(), **here.me.options()) as client:
        yield client


@pytest.fixture
def cert_client(here: World) -> Iterator[Any]:
    with certificates.CertificateClient(here.vault(), **here.me.options()) as client:
        yield client


def test_a_secret_is_set_read_changed_and_listed(sdk: Any) -> None:
    first = sdk.set_secret("one", "a", content_type="text/plain", tags={"t": "1"})
    second = sdk.set_secret("one", "b")
    assert sdk.get_secret("One").value == "b"
    assert sdk.get_secret("one", first.properties.version).value == "a"
    sdk.update_secret_properties("one", first.properties.version, enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        sdk.get_secret("one", first.properties.version)
    assert refused.value.status_code == 403
    versions = {p.version: p for p in sdk.list_properties_of_secret_versions("one")}
    assert set(versions) == {first.properties.version, second.properties.version}
    assert versions[first.properties.version].tags == {"t": "1"}
    assert [p.name for p in sdk.list_properties_of_secrets()] == ["one"]


def test_lists_go_over_pages(sdk: Any) -> None:
    names = [f"s{number:02}" for number in range(30)]
    for name in names:
        sdk.set_secret(name, name)
    assert [p.name for p in sdk.list_properties_of_secrets()] == names
    assert [p.name for p in sdk.list_properties_of_secrets(max_page_size=7)] == names


def test_a_deleted_secret_keeps_its_name_until_it_is_recovered_or_purged(sdk: Any) -> None:
    sdk.set_secret("one", "a")
    deleted = sdk.begin_delete_secret("one", _polling_interval=0).result()
    assert deleted.scheduled_purge_date - deleted.deleted_date == timedelta(days=90)
    with pytest.raises(ResourceNotFoundError):
        sdk.get_secret("one")
    with pytest.raises(ResourceExistsError) as taken:
        sdk.set_secret("one", "b")
    assert "deleted but recoverable" in taken.value.message
    assert [d.name for d in sdk.list_deleted_secrets()] == ["one"]
    sdk.begin_recover_deleted_secret("one", _polling_interval=0).result()
    assert sdk.get_secret("one").value == "a"
    sdk.begin_delete_secret("one", _polling_interval=0).result()
    sdk.purge_deleted_secret("one")
    with pytest.raises(ResourceNotFoundError):
        sdk.get_deleted_secret("one")
    assert sdk.set_secret("one", "c").value == "c"


def test_what_is_deleted_is_purged_when_its_time_has_come(here: World, sdk: Any) -> None:
    sdk.set_secret("one", "a")
    sdk.begin_delete_secret("one", _polling_interval=0).result()
    here.azure.clock.advance(timedelta(days=89))
    assert sdk.get_deleted_secret("one").name == "one"
    here.azure.clock.advance(timedelta(days=2))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_deleted_secret("one")


def test_purge_protection_forbids_purging(here: World) -> None:
    uri = here.vault("protected", enablePurgeProtection=True, softDeleteRetentionInDays=7)
    with secrets.SecretClient(uri, **here.me.options()) as sdk:
        made = sdk.set_secret("one", "a")
        assert made.properties.recovery_level == "CustomizedRecoverable"
        sdk.begin_delete_secret("one", _polling_interval=0).result()
        with pytest.raises(HttpResponseError) as refused:
            sdk.purge_deleted_secret("one")
        assert refused.value.status_code == 403


def test_a_backup_is_restored_in_another_vault_and_nothing_else_is(here: World, sdk: Any) -> None:
    sdk.set_secret("one", "a")
    sdk.set_secret("one", "b")
    backup = sdk.backup_secret("one")
    with pytest.raises(ResourceExistsError):
        sdk.restore_secret_backup(backup)
    with secrets.SecretClient(here.vault("other"), **here.me.options()) as other:
        other.restore_secret_backup(backup)
        assert other.get_secret("one").value == "b"
        assert len(list(other.list_properties_of_secret_versions("one"))) == 2
        with pytest.raises(HttpResponseError) as refused:
            other.restore_secret_backup(b"nonsense")
    assert refused.value.status_code == 400


@pytest.mark.parametrize("name", ["under_score", "a.b", "ä", "x" * 128, "a b"])
def test_a_name_that_azure_refuses_is_refused(sdk: Any, name: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        sdk.set_secret(name, "a")
    assert refused.value.status_code == 400
    assert "invalid name" in refused.value.message


def test_secrets_live_on_after_two_hours(here: World, sdk: Any) -> None:
    sdk.set_secret("one", "a", expires_on=here.azure.clock.now() + timedelta(hours=1))
    here.azure.clock.advance(timedelta(hours=2))
    assert sdk.get_secret("one").value == "a"


def test_access_policies_decide(here: World) -> None:
    policies = [
        {"objectId": STRANGER, "permissions": {"secrets": ["Get"]}},
        {"objectId": here.me.object_id, "permissions": {"secrets": ["Set", "Get", "List"]}},
    ]
    uri = here.vault(accessPolicies=policies)
    with secrets.SecretClient(uri, **here.me.options()) as mine:
        mine.set_secret("one", "a")
        with pytest.raises(HttpResponseError) as refused:
            mine.begin_delete_secret("one")
    assert refused.value.status_code == 403
    assert "does not have secrets delete permission" in refused.value.message
    stranger = Someone(here.azure, STRANGER)
    with secrets.SecretClient(uri, **stranger.options()) as others:
        assert others.get_secret("one").value == "a"
        with pytest.raises(HttpResponseError):
            list(others.list_properties_of_secrets())


def test_a_policy_for_a_group_holds_for_its_members(here: World) -> None:
    graph = here.azure.mock.graph
    user = graph.add("users", {"id": STRANGER, "displayName": "one"})
    group = graph.add("groups", {"displayName": "team"})
    policies = [{"objectId": group["id"], "permissions": {"secrets": ["all"]}}]
    uri = here.vault(accessPolicies=policies)
    with secrets.SecretClient(uri, **Someone(here.azure, user["id"]).options()) as client:
        with pytest.raises(HttpResponseError):
            client.set_secret("one", "a")
        graph._directory.refer(group["id"], "members", user["id"])
        assert client.set_secret("one", "a").value == "a"


def test_role_assignments_decide_where_the_vault_says_so(here: World) -> None:
    uri = here.vault(enableRbacAuthorization=True, accessPolicies=[])
    with secrets.SecretClient(uri, **here.me.options()) as sdk:
        with pytest.raises(HttpResponseError) as refused:
            sdk.set_secret("one", "a")
        assert "Caller is not authorized" in refused.value.message
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{OFFICER}"
        properties = {"roleDefinitionId": definition, "principalId": here.me.object_id}
        scope = f"{here.group}/providers/Microsoft.Authorization/roleAssignments/{STRANGER}"
        here.azure.mock.resource_manager.add(scope, {"properties": properties})
        assert sdk.set_secret("one", "a").value == "a"
    with (
        keys.KeyClient(uri, **here.me.options()) as client,
        pytest.raises(HttpResponseError) as of_keys,
    ):
        client.create_rsa_key("one")
    assert of_keys.value.status_code == 403


def test_a_vault_that_is_not_there_or_deleted_is_said_so(here: World) -> None:
    uri = here.vault()
    with secrets.SecretClient(uri, **here.me.options()) as sdk:
        sdk.set_secret("one", "a")
        assert here.azure.arm("DELETE", here.vault_id("kv")).status_code == 200
        with pytest.raises(ResourceNotFoundError, match="is deleted"):
            sdk.get_secret("one")
        recover = {"location": "westeurope", "properties": {"createMode": "recover"}}
        policy = [{"objectId": here.me.object_id, "permissions": {"secrets": ["all"]}}]
        recover["properties"] = {"createMode": "recover", "accessPolicies": policy}
        assert here.azure.arm("PUT", here.vault_id("kv"), recover).status_code == 201
        assert sdk.get_secret("one").value == "a"
    nowhere = uri.replace("kv", "nowhere")
    with (
        secrets.SecretClient(nowhere, **here.me.options()) as sdk,
        pytest.raises(ResourceNotFoundError, match="--tf-existing"),
    ):
        sdk.get_secret("one")


def test_a_purged_vault_comes_back_empty(here: World) -> None:
    with secrets.SecretClient(here.vault(), **here.me.options()) as sdk:
        sdk.set_secret("one", "a")
        here.azure.arm("DELETE", here.vault_id("kv"))
        subscription = here.group.partition("/resourceGroups")[0]
        place = "providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv"
        purge = here.azure.arm("POST", f"{subscription}/{place}/purge")
        assert purge.status_code == 202
        done = here.azure.send("GET", purge.headers["Location"], headers=here.azure.bearer())
        assert (done.status_code, done.content) == (200, b"")
        here.vault()
        assert list(sdk.list_properties_of_secrets()) == []


def test_a_deployment_takes_a_parameter_from_a_vault_that_lets_it_in(here: World) -> None:
    written = {
        "parameters": {"p": {"type": "securestring"}},
        "resources": [],
        "outputs": {"n": {"type": "int", "value": "[length(parameters('p'))]"}},
    }
    reference = {"keyVault": {"id": here.vault_id("kv")}, "secretName": "one"}
    properties = {"template": written, "parameters": {"p": {"reference": reference}}}
    path = f"{here.group}/providers/Microsoft.Resources/deployments/d"
    with secrets.SecretClient(here.vault(), **here.me.options()) as sdk:
        sdk.set_secret("one", "hidden")
    refused = here.azure.arm("PUT", path, {"properties": properties})
    assert refused.status_code == 400
    assert "enabledForTemplateDeployment" in refused.json()["error"]["message"]
    here.vault(enabledForTemplateDeployment=True)
    made = here.azure.arm("PUT", path, {"properties": properties})
    assert made.json()["properties"]["outputs"]["n"]["value"] == 6
    assert "hidden" not in made.text


def test_a_secret_that_resource_manager_writes_is_in_the_vault(here: World) -> None:
    uri = here.vault()
    path = f"{here.vault_id('kv')}/secrets/one"
    made = here.azure.arm("PUT", path, {"properties": {"value": "hidden", "contentType": "t"}})
    assert made.status_code == 201
    assert "hidden" not in made.text
    assert made.json()["properties"]["secretUri"] == f"{uri}secrets/one"
    with secrets.SecretClient(uri, **here.me.options()) as sdk:
        assert sdk.get_secret("one").value == "hidden"
        assert sdk.get_secret("one").id == made.json()["properties"]["secretUriWithVersion"]
    bad = here.azure.arm(
        "PUT", f"{here.vault_id('kv')}/secrets/a_b", {"properties": {"value": "x"}}
    )
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "BadParameter")
    key = {"properties": {"kty": "EC", "curveName": "P-384"}}
    assert here.azure.arm("PUT", f"{here.vault_id('kv')}/keys/k", key).status_code == 200
    with keys.KeyClient(uri, **here.me.options()) as client:
        assert client.get_key("k").key.crv == "P-384"


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_key_signs_and_its_public_part_verifies(here: World, key_client: Any, kind: str) -> None:
    key = (
        key_client.create_rsa_key("one", size=2048)
        if kind == "rsa"
        else key_client.create_ec_key("one", curve="P-384")
    )
    digest = hashlib.sha256(b"text").digest() if kind == "rsa" else hashlib.sha384(b"t").digest()
    algorithm = crypto.SignatureAlgorithm("PS256" if kind == "rsa" else "ES384")
    with crypto.CryptographyClient(key.id, **here.me.options()) as client:
        signature = client.sign(algorithm, digest).signature
    local = crypto.CryptographyClient.from_jwk(key.key)
    assert local.verify(algorithm, digest, signature).is_valid
    assert not local.verify(algorithm, digest[::-1], signature).is_valid


def test_a_key_unwraps_and_decrypts_what_its_public_part_made(here: World, key_client: Any) -> None:
    key = key_client.create_rsa_key("one")
    local = crypto.CryptographyClient.from_jwk(key.key)
    wrapped = local.wrap_key(crypto.KeyWrapAlgorithm.rsa_oaep_256, b"k" * 32).encrypted_key
    secret = local.encrypt(crypto.EncryptionAlgorithm.rsa_oaep, b"text").ciphertext
    with crypto.CryptographyClient(key.id, **here.me.options()) as client:
        assert client.unwrap_key(crypto.KeyWrapAlgorithm.rsa_oaep_256, wrapped).key == b"k" * 32
        assert client.decrypt(crypto.EncryptionAlgorithm.rsa_oaep, secret).plaintext == b"text"
        with pytest.raises(HttpResponseError) as refused:
            client.decrypt(crypto.EncryptionAlgorithm.rsa_oaep, b"0" * 256)
    assert refused.value.status_code == 400


def test_an_expired_key_signs_no_more(here: World, key_client: Any) -> None:
    ends = here.azure.clock.now() + timedelta(hours=1)
    key = key_client.create_ec_key("one", expires_on=ends)
    digest = hashlib.sha256(b"text").digest()
    with crypto.CryptographyClient(key.id, **here.me.options()) as client:
        assert client.sign(crypto.SignatureAlgorithm.es256, digest).signature
        here.azure.clock.advance(timedelta(hours=2))
        with pytest.raises(HttpResponseError) as refused:
            client._client.sign("one", key.properties.version, {"alg": "ES256", "value": digest})
    assert refused.value.status_code == 403


def test_keys_are_imported_rotated_and_listed(key_client: Any) -> None:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    numbers = {"e": own.public_numbers.e, "n": own.public_numbers.n, "d": own.d, "p": own.p}
    numbers |= {"q": own.q, "dp": own.dmp1, "dq": own.dmq1, "qi": own.iqmp}
    jwk = keys.JsonWebKey(
        kty="RSA",
        **{n: v.to_bytes((v.bit_length() + 7) // 8, "big") for n, v in numbers.items()},
    )
    made = key_client.import_key("one", jwk)
    assert int.from_bytes(made.key.n, "big") == own.public_numbers.n
    policy = keys.KeyRotationPolicy(
        lifetime_actions=[
            keys.KeyRotationLifetimeAction(
                keys.KeyRotationPolicyAction.rotate, time_after_create="P30D"
            )
        ],
        expires_in="P90D",
    )
    assert key_client.update_key_rotation_policy("one", policy).expires_in == "P90D"
    rotated = key_client.rotate_key("one")
    assert rotated.properties.version != made.properties.version
    assert len(list(key_client.list_properties_of_key_versions("one"))) == 2
    assert [k.name for k in key_client.list_properties_of_keys()] == ["one"]
    assert len(key_client.get_random_bytes(16)) == 16
    deleted = key_client.begin_delete_key("one", _polling_interval=0).result()
    assert deleted.name == "one"
    key_client.purge_deleted_key("one")


def policy_of(kind: str = "application/x-pkcs12", issuer: str = "Self") -> Any:
    return certificates.CertificatePolicy(
        issuer_name=issuer,
        subject="CN=hello-world, O=Contoso",
        san_dns_names=["internal.contoso.com"],
        content_type=kind,
        validity_in_months=12,
    )


@pytest.mark.parametrize("kind", ["application/x-pkcs12", "application/x-pem-file"])
def test_a_self_signed_certificate_is_issued_with_its_key_and_secret(
    here: World, cert_client: Any, kind: str
) -> None:
    made = cert_client.begin_create_certificate("one", policy_of(kind)).result()
    certificate = x509.load_der_x509_certificate(bytes(made.cer))
    assert certificate.fingerprint(hashes.SHA1()) == made.properties.x509_thumbprint  # noqa: S303 - the API's
    assert certificate.subject.rfc4514_string() == "CN=hello-world,O=Contoso"
    assert certificate.not_valid_before_utc <= here.azure.clock.now()
    with secrets.SecretClient(cert_client.vault_url, **here.me.options()) as client:
        secret = client.get_secret("one")
        with pytest.raises(HttpResponseError):
            client.set_secret("one", "a")
    if kind.endswith("pkcs12"):
        key, with_key, _ = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), None)
    else:
        key = serialization.load_pem_private_key(secret.value.encode(), None)
        with_key = x509.load_pem_x509_certificate(secret.value.encode())
    assert with_key == certificate
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.public_key() == certificate.public_key()
    with keys.KeyClient(cert_client.vault_url, **here.me.options()) as client:
        jwk = client.get_key("one").key
    assert int.from_bytes(jwk.n, "big") == key.public_key().public_numbers().n


def test_a_certificate_of_unknown_issuer_waits_for_the_merge(cert_client: Any) -> None:
    poller = cert_client.begin_create_certificate("one", policy_of(issuer="Unknown"))
    operation = cert_client.get_certificate_operation("one")
    assert operation.status == "inProgress"
    request = x509.load_der_x509_csr(bytes(operation.csr))
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = real_now()
    signed = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(x509.Name.from_rfc4514_string("CN=CA"))
        .public_key(request.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=30))
        .sign(signer, hashes.SHA256())
    )
    der = signed.public_bytes(serialization.Encoding.DER)
    merged = cert_client.merge_certificate("one", [der])
    assert bytes(merged.cer) == der
    assert cert_client.get_certificate_operation("one").status == "completed"
    del poller


def test_a_certificate_goes_from_vault_to_vault_as_pfx_and_pem(
    here: World, cert_client: Any
) -> None:
    cert_client.begin_create_certificate("one", policy_of()).result()
    with secrets.SecretClient(cert_client.vault_url, **here.me.options()) as client:
        pfx = base64.b64decode(client.get_secret("one").value)
    imported = cert_client.import_certificate("two", pfx)
    assert imported.cer == cert_client.get_certificate("one").cer
    key, certificate, _ = pkcs12.load_key_and_certificates(pfx, None)
    assert key is not None
    assert certificate is not None
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(serialization.Encoding.PEM, *form)
    policy = certificates.CertificatePolicy(
        issuer_name="Self", content_type="application/x-pem-file"
    )
    assert cert_client.import_certificate("three", pem, policy=policy).cer == imported.cer
    with pytest.raises(HttpResponseError) as refused:
        cert_client.import_certificate("four", b"nonsense")
    assert refused.value.status_code == 400


def test_a_certificate_is_deleted_with_its_key_and_secret(here: World, cert_client: Any) -> None:
    cert_client.begin_create_certificate("one", policy_of()).result()
    cert_client.begin_delete_certificate("one", _polling_interval=0).result()
    with secrets.SecretClient(cert_client.vault_url, **here.me.options()) as client:
        with pytest.raises(ResourceNotFoundError):
            client.get_secret("one")
        cert_client.begin_recover_deleted_certificate("one", _polling_interval=0).result()
        assert client.get_secret("one").value
    cert_client.begin_delete_certificate("one", _polling_interval=0).result()
    cert_client.purge_deleted_certificate("one")
    assert list(cert_client.list_deleted_certificates()) == []


def test_contacts_and_issuers_are_kept(cert_client: Any) -> None:
    with pytest.raises(ResourceNotFoundError):
        cert_client.get_contacts()
    contact = certificates.CertificateContact(email="a@contoso.com", name="a")
    cert_client.set_contacts([contact])
    assert [c.email for c in cert_client.get_contacts()] == ["a@contoso.com"]
    cert_client.create_issuer("digi", "DigiCert", account_id="id", password="secret")
    shown = cert_client.get_issuer("digi")
    assert (shown.provider, shown.account_id, shown.password) == ("DigiCert", "id", None)
    made = cert_client.begin_create_certificate("one", policy_of(issuer="digi")).result()
    issuer = x509.load_der_x509_certificate(bytes(made.cer)).issuer.rfc4514_string()
    assert issuer == "CN=DigiCert"
    cert_client.update_issuer("digi", account_id="other")
    assert cert_client.get_issuer("digi").account_id == "other"
    assert [i.name for i in cert_client.list_properties_of_issuers()] == ["digi"]
    cert_client.delete_issuer("digi")
    cert_client.delete_contacts()
    with pytest.raises(ResourceNotFoundError):
        cert_client.get_issuer("digi")
