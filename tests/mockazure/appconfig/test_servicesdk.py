"""Microsoft's own client of App Configuration talks to the stand-in through its proxy."""

# ruff: noqa: ANN401 - the package has no types where it is not installed

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

sdk: Any = pytest.importorskip("azure.appconfiguration", reason="not installed")

from azure.core import MatchConditions  # noqa: E402 - after the check that it is there
from azure.core.exceptions import (  # noqa: E402 - the same
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.mockazure.vaultkit import World  # noqa: E402 - the same

ResourceReadOnlyError = sdk.ResourceReadOnlyError
OWNER = "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b"
READER = "516239f1-63e1-4d78-a4de-a74fb236a071"
NAMES = "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-00000000000"


def store(here: World, **properties: Any) -> str:
    path = f"{here.group}/providers/Microsoft.AppConfiguration/configurationStores/conf"
    here.azure.mock.resource_manager.add(path, {"properties": properties})
    return path


def assign(here: World, role: str) -> None:
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
    properties = {"roleDefinitionId": definition, "principalId": here.me.object_id}
    here.azure.mock.resource_manager.add(f"{here.group}{NAMES}1", {"properties": properties})


def connection(here: World, path: str, number: int = 0) -> str:
    keys = here.azure.arm("POST", f"{path}/listKeys").json()["value"]
    return str(keys[number]["connectionString"])


def open_client(here: World, text: str = "") -> Any:
    options = here.me.options()
    if text:
        del options["credential"]
        return sdk.AzureAppConfigurationClient.from_connection_string(text, **options)
    return sdk.AzureAppConfigurationClient("https://conf.azconfig.io", **options)


@pytest.fixture
def client(here: World) -> Iterator[Any]:
    with open_client(here, connection(here, store(here))) as made:
        yield made


def setting(key: str = "a/b c", **values: Any) -> Any:
    return sdk.ConfigurationSetting(key=key, **values)


def test_a_key_is_set_read_listed_and_deleted(client: Any) -> None:
    made = client.set_configuration_setting(
        setting(value="1", label="dev", content_type="text/plain", tags={"t": "1"})
    )
    assert (made.value, made.label, made.tags) == ("1", "dev", {"t": "1"})
    client.set_configuration_setting(setting(value="2"))
    assert client.get_configuration_setting("a/b c").value == "2"
    assert client.get_configuration_setting("a/b c", "dev").etag == made.etag
    with pytest.raises(ResourceNotFoundError):
        client.get_configuration_setting("a/b c", "test")
    assert [s.value for s in client.list_configuration_settings()] == ["2", "1"]
    assert [s.value for s in client.list_configuration_settings(label_filter="\0")] == ["2"]
    assert [s.value for s in client.list_configuration_settings(tags_filter=["t=1"])] == ["1"]
    assert [lb.name for lb in client.list_labels()] == [None, "dev"]
    client.delete_configuration_setting("a/b c")
    assert [s.label for s in client.list_configuration_settings(key_filter="a*")] == ["dev"]


def test_conditions_are_kept(client: Any) -> None:
    made = client.add_configuration_setting(setting("a", value="1"))
    with pytest.raises(ResourceExistsError):
        client.add_configuration_setting(setting("a", value="2"))
    unchanged = client.get_configuration_setting(
        "a", etag=made.etag, match_condition=MatchConditions.IfModified
    )
    assert unchanged is None
    client.set_configuration_setting(setting("a", value="3"))
    made.value = "4"
    with pytest.raises(ResourceModifiedError):
        client.set_configuration_setting(made, match_condition=MatchConditions.IfNotModified)


def test_a_locked_key_is_not_changed(client: Any) -> None:
    made = client.set_configuration_setting(setting("a", value="1"))
    assert client.set_read_only(made).read_only
    with pytest.raises(ResourceReadOnlyError):
        client.set_configuration_setting(setting("a", value="2"))
    with pytest.raises(ResourceReadOnlyError):
        client.delete_configuration_setting("a")
    client.set_read_only(made, read_only=False)
    assert client.set_configuration_setting(setting("a", value="2")).value == "2"


def test_feature_flags_and_references_are_key_values(client: Any) -> None:
    client.set_configuration_setting(sdk.FeatureFlagConfigurationSetting("beta", enabled=True))
    found = client.get_configuration_setting(".appconfig.featureflag/beta")
    assert (type(found).__name__, found.enabled) == ("FeatureFlagConfigurationSetting", True)
    reference = sdk.SecretReferenceConfigurationSetting("s", "https://kv.vault.azure.net/secrets/x")
    client.set_configuration_setting(reference)
    assert client.get_configuration_setting("s").secret_id.endswith("/secrets/x")


def test_revisions_tell_what_was(here: World, client: Any) -> None:
    for value in "123":
        client.set_configuration_setting(setting("a", value=value))
        here.azure.clock.advance(timedelta(hours=1))
    assert [r.value for r in client.list_revisions("a")] == ["3", "2", "1"]
    then = here.azure.clock.now() - timedelta(hours=2, minutes=30)
    assert client.get_configuration_setting("a", accept_datetime=str(then)).value == "1"
    here.azure.clock.advance(timedelta(days=31))
    assert list(client.list_revisions("a")) == []
    assert client.get_configuration_setting("a").value == "3"


def test_lists_go_over_pages(client: Any) -> None:
    for number in range(120):
        client.set_configuration_setting(setting(f"k{number:03}", value="1"))
    assert len(list(client.list_configuration_settings(key_filter="k*"))) == 120
    pages = client.list_configuration_settings(key_filter="k*").by_page()
    assert [len(list(page)) for page in pages] == [100, 20]


def test_a_snapshot_keeps_what_was(here: World, client: Any) -> None:
    client.set_configuration_setting(setting("a", value="1"))
    client.set_configuration_setting(setting("b", value="1", label="x"))
    filters = [sdk.ConfigurationSettingsFilter(key="*", label="*")]
    made = client.begin_create_snapshot("one", filters, retention_period=3600).result()
    assert (made.status, made.items_count) == ("ready", 2)
    client.set_configuration_setting(setting("a", value="2"))
    kept = client.list_configuration_settings(snapshot_name="one")
    assert [s.value for s in kept] == ["1", "1"]
    with pytest.raises(ResourceExistsError):
        client.begin_create_snapshot("one", filters)
    assert client.archive_snapshot("one").status == "archived"
    assert client.recover_snapshot("one").status == "ready"
    client.archive_snapshot("one")
    here.azure.clock.advance(timedelta(hours=2))
    assert list(client.list_snapshots()) == []


def test_a_read_only_key_and_a_wrong_one_change_nothing(here: World) -> None:
    path = store(here)
    with open_client(here, connection(here, path, 2)) as reader:
        assert list(reader.list_configuration_settings()) == []
        with pytest.raises(HttpResponseError) as refused:
            reader.set_configuration_setting(setting("a", value="1"))
        assert refused.value.status_code == 403
    first, second = connection(here, path), connection(here, path, 1)
    wrong = first.rpartition("Secret=")[0] + second.rpartition("Secret=")[1]
    wrong += second.rpartition("Secret=")[2]
    with open_client(here, wrong) as client, pytest.raises(HttpResponseError) as unknown:
        client.get_configuration_setting("a")
    assert unknown.value.status_code == 401


def test_a_bearer_needs_a_role(here: World) -> None:
    path = store(here, disableLocalAuth=True)
    with open_client(here, connection(here, path)) as keyed, pytest.raises(HttpResponseError):
        keyed.get_configuration_setting("a")
    with open_client(here) as client:
        with pytest.raises(HttpResponseError) as refused:
            client.set_configuration_setting(setting("a", value="1"))
        assert refused.value.status_code == 403
        assign(here, READER)
        assert list(client.list_configuration_settings()) == []
        with pytest.raises(HttpResponseError):
            client.set_configuration_setting(setting("a", value="1"))
        assign(here, OWNER)
        assert client.set_configuration_setting(setting("a", value="1")).value == "1"


def test_a_store_that_is_not_there_is_said_so(here: World) -> None:
    with open_client(here) as client, pytest.raises(HttpResponseError) as refused:
        client.get_configuration_setting("a")
    assert refused.value.status_code == 404
    assert "--tf-existing" in str(refused.value.message)
