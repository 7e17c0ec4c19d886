"""Microsoft's clients of queues and tables get the same answers from Azurite as from the stand-in.

Each conversation below is held with both, and all that its client saw is compared.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

queues: Any = pytest.importorskip("azure.storage.queue", reason="not installed")
tables: Any = pytest.importorskip("azure.data.tables", reason="not installed")

from azure.core.credentials import AzureNamedKeyCredential  # noqa: E402 - after the check
from azure.core.exceptions import HttpResponseError  # noqa: E402 - the same

from pytest_tfoidc.httpserver import LOOPBACK  # noqa: E402 - the same
from pytest_tfoidc.mockazure.server import STORAGE_HOSTS  # noqa: E402 - the same
from tests.mockazure.storage.test_azurite import AZURITE, STOP_SECONDS, Azurite  # noqa: E402 - the same
from tests.mockazure.vaultkit import World, world  # noqa: E402 - the same

ACCOUNT = "acct"
Seen = list[object]


@contextlib.contextmanager
def azurite(service: str, key: str, folder: Path) -> Iterator[Azurite]:
    """Run one of Azurite's services."""
    assert AZURITE is not None
    ca = trustme.CA()
    certificate = ca.issue_cert(LOOPBACK)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    context = ssl.create_default_context()
    ca.configure_trust(context)
    port = free_port()  # the table service does not say which one it got
    arguments = [
        *(f"--{service}Host", LOOPBACK, f"--{service}Port", str(port), "--silent"),
        *("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")),
        *("--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"),
    ]
    with subprocess.Popen(
        [AZURITE.replace("azurite-blob", f"azurite-{service}"), *arguments],
        cwd=folder,
        env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_for(process)
            yield Azurite(port, context)
        finally:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_for(process: subprocess.Popen[str]) -> None:
    """Wait until Azurite says that it has started."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "successfully" in line:
            return
    pytest.fail(f"Azurite did not start: {''.join(said)}")


def outcome(action: Callable[[], Any]) -> object:
    """Return what an action gives, or how it is refused."""
    try:
        return action()
    except HttpResponseError as error:
        return error.status_code, str(getattr(error, "error_code", "")).rpartition(".")[2]


def talk_to_queues(here: World) -> Seen:
    options = {**here.me.options(), "credential": here.azure.mock.blobs.key_for(ACCOUNT)}
    url = f"https://{ACCOUNT}.queue.core.windows.net"
    seen: Seen = []
    with queues.QueueServiceClient(url, **options) as service:
        queue = service.get_queue_client("work")
        seen.append(outcome(lambda: queue.send_message("none").id))
        seen.append(outcome(lambda: service.create_queue("Bad_Name").queue_name))
        queue.create_queue(metadata={"a": "1"})
        seen.append(outcome(lambda: service.create_queue("work", metadata={"b": "2"})))
        for text in ("one", "<two>", "three"):
            queue.send_message(text)
        seen.append([m.content for m in queue.peek_messages(5)])
        first = queue.receive_message(visibility_timeout=60)
        seen.append((first.content, first.dequeue_count))
        seen.append([m.content for m in queue.receive_messages(visibility_timeout=60)])
        seen.append(outcome(lambda: queue.delete_message(first.id, "AAAA")))
        queue.delete_message(first)
        seen.append(outcome(lambda: queue.delete_message(first)))
        properties = queue.get_queue_properties()
        seen.append((properties.approximate_message_count, dict(properties.metadata)))
        seen.append([q.name for q in service.list_queues(name_starts_with="w")])
        queue.clear_messages()
        seen.append(queue.peek_messages())
        queue.delete_queue()
        seen.append(outcome(queue.delete_queue))
    return seen


def talk_to_tables(here: World) -> Seen:
    named = AzureNamedKeyCredential(ACCOUNT, here.azure.mock.blobs.key_for(ACCOUNT))
    options = {**here.me.options(), "credential": named}
    url = f"https://{ACCOUNT}.table.core.windows.net"
    seen: Seen = []
    with tables.TableServiceClient(url, **options) as service:
        table = service.get_table_client("things")
        rows = [
            {"PartitionKey": "a", "RowKey": str(n), "n": n, "s": "it's", "b": n == 1, "f": 1.5}
            for n in range(4)
        ]
        seen.append(outcome(lambda: table.create_entity(rows[0])))
        service.create_table("things")
        seen.append(outcome(lambda: service.create_table("things").table_name))
        for row in rows:
            table.create_entity(row)
        seen.append(outcome(lambda: table.create_entity(rows[0])))
        for text in ("n gt 1", "n ge 1 and b eq false", "not (RowKey eq '0')", "s eq 'it''s'"):
            seen.append([dict(e) for e in table.query_entities(text)])
        seen.append(
            [[e["n"] for e in p] for p in table.list_entities(results_per_page=3).by_page()]
        )
        table.update_entity({**rows[1], "n": 9}, mode=tables.UpdateMode.MERGE)
        seen.append(dict(table.get_entity("a", "1")))
        seen.append(outcome(lambda: table.get_entity("a", "none")))
        seen.append(outcome(lambda: table.update_entity({**rows[0], "RowKey": "none"})))
        seen.append([t.name for t in service.list_tables()])
        table.delete_entity("a", "1")
        seen.append([e["RowKey"] for e in table.list_entities(select=["RowKey"])])
        service.delete_table("things")
        seen.append(outcome(lambda: list(table.list_entities())))
    return seen


@pytest.mark.parametrize(
    ("service", "talk"), [("queue", talk_to_queues), ("table", talk_to_tables)]
)
def test_azurite_gives_the_same_answers(
    service: str, talk: Callable[[World], Seen], tmp_path: Path
) -> None:
    if AZURITE is None:
        pytest.skip("TFOIDC_AZURITE does not name an azurite-blob (npm install azurite)")
    with world() as here:
        ours = talk(here)
        key = here.azure.mock.blobs.key_for(ACCOUNT)
        with azurite(service, key, tmp_path) as theirs:
            here.azure.mock.services[STORAGE_HOSTS] = theirs.handle
            assert talk(here) == ours
