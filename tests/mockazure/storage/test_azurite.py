"""The azurerm backend's conversation goes on Azurite, Microsoft's emulator, as it does on ours.

There is no request that Azurite may answer in another way: status, error code, lease state and lock
metadata are the same for all of them.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from pytest_tfoidc.httpserver import LOOPBACK, Request, Response
from pytest_tfoidc.mockazure.server import STORAGE_HOSTS, MockAzure, Service
from pytest_tfoidc.session import STANDIN_BACKEND, OidcSession, SessionOptions
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.workspace import Workspace

AZURITE = os.environ.get("TFOIDC_AZURITE")
STORY = Path(__file__).parents[2] / "modules" / "backend_story"
ACCOUNT, CONTAINER = STANDIN_BACKEND["storage_account_name"], STANDIN_BACKEND["container_name"]
HOST = f"{ACCOUNT}.blob.core.windows.net"
STATE = f"/{CONTAINER}/terraform.tfstate"
VERSION = "2023-11-03"
LOCK_ID = "11111111-2222-3333-4444-555555555555"
CONNECTION_HEADERS = {"connection", "keep-alive", "transfer-encoding"}
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Exchange:
    """A request and what was answered, as far as the backend looks at it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int
    error: str
    lease: str
    is_marked_as_locked: bool


@dataclass
class Recorded:
    """A blob service, with what was asked and answered."""

    service: Service
    exchanges: list[Exchange] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        answer = self.service(request)
        assert isinstance(answer, Response)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        self.exchanges.append(
            Exchange(
                method=request.method,
                path=request.path,
                query=tuple(sorted(request.query.items())),
                status=answer.status,
                error=headers.get("x-ms-error-code", ""),
                lease=headers.get("x-ms-lease-state", ""),
                is_marked_as_locked="x-ms-meta-terraformlockid" in headers,
            )
        )
        return answer


@dataclass(frozen=True)
class Azurite:
    """A running Azurite."""

    port: int
    context: ssl.SSLContext

    def handle(self, request: Request) -> Response:
        """Pass a request on as it is, the production host name in it included."""
        connection = http.client.HTTPSConnection(LOOPBACK, self.port, context=self.context)
        with contextlib.closing(connection):
            connection.putrequest(
                request.method, request.target, skip_host=True, skip_accept_encoding=True
            )
            headers = {"host": request.host, **request.headers}
            headers["content-length"] = str(len(request.body))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            body = answer.read()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in CONNECTION_HEADERS}
        return Response(answer.status, body, kept)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if AZURITE is None:
        pytest.skip("TFOIDC_AZURITE does not name an azurite-blob (npm install azurite)")
    folder = tmp_path_factory.mktemp("azurite")
    ca = trustme.CA()
    certificate = ca.issue_cert(LOOPBACK)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    context = ssl.create_default_context()
    ca.configure_trust(context)
    key = base64.b64encode(os.urandom(32)).decode()
    with subprocess.Popen(
        [AZURITE, *arguments(folder)],
        cwd=folder,
        env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Azurite(port_of(process), context)
        finally:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)


def arguments(folder: Path) -> list[str]:
    return [
        *("--blobHost", LOOPBACK, "--blobPort", "0", "--oauth", "basic"),
        *("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")),
        *("--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent"),
    ]


def port_of(process: subprocess.Popen[str]) -> int:
    """Wait until Azurite says which port it listens on."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"successfully listens on https://[^:]+:(\d+)", line):
            return int(found[1])
    pytest.fail(f"Azurite did not start: {''.join(said)}")


def call(mock: MockAzure, method: str, target: str, *, headers: Mapping[str, str]) -> Response:
    """Ask the blob service whichever it is, as the identity that Terraform has."""
    token = mock.access_tokens.issue(
        audience="https://storage.azure.com",
        client_id=next(iter(mock.directory.applications)),
        object_id=str(uuid.uuid4()),
        tenant_id=mock.directory.tenant_id,
    )
    given = {f"x-ms-{name.replace('_', '-')}": value for name, value in headers.items()}
    own = {"authorization": f"Bearer {token.value}", "x-ms-version": VERSION}
    answer = mock.services[STORAGE_HOSTS](Request(method, "https", HOST, target, {**own, **given}))
    assert isinstance(answer, Response)
    return answer


@dataclass
class Told:
    """The result of the story: what each command ended with, and what was asked for that."""

    outcomes: dict[str, object] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)


def tell(service: Callable[[MockAzure], Service], *, container: bool) -> Told:
    """Run Terraform through everything that the backend does, on a blob service."""
    told = Told()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    executable = os.environ.get("TFOIDC_TEST_EXECUTABLE")
    options = SessionOptions(context="mock", executable=executable, environment=environment)
    with OidcSession(options) as session:
        assert session.mock is not None
        recorded = Recorded(service(session.mock))
        session.mock.services[STORAGE_HOSTS] = recorded
        if container:
            created = call(session.mock, "PUT", f"/{CONTAINER}?restype=container", headers={})
            assert created.status == 201
            recorded.exchanges.clear()
        with session.workspace(STORY / "writer") as writer:
            deploy(writer, told)
            use_workspaces(writer, told)
            with session.workspace(STORY / "reader") as reader:
                read_state(reader, told)
            force_unlock(writer, session.mock, told)
            destroy(writer, told)
    told.exchanges = recorded.exchanges
    return told


def deploy(writer: Workspace, told: Told) -> None:
    writer.init()
    plan = writer.plan()
    told.outcomes["plan"] = plan.has_changes
    writer.apply(plan)
    told.outcomes["output"] = writer.output()
    told.outcomes["plan after"] = writer.plan(out="after").has_changes


def use_workspaces(writer: Workspace, told: Told) -> None:
    for name in ("blue", "green"):
        writer.run("workspace new", name, no_color=Flag)
    writer.select_workspace("blue")
    writer.apply()
    told.outcomes["output of blue"] = writer.output()
    told.outcomes["workspaces"] = writer.run("workspace list").stdout.split()
    writer.run("workspace delete", "green", no_color=Flag)
    again = writer.runner.run("workspace new", "blue", no_color=Flag)
    told.outcomes["blue once more"] = again.exit_code


def read_state(reader: Workspace, told: Told) -> None:
    reader.init()
    reader.apply()
    told.outcomes["read by another"] = reader.output()
    reader.destroy()


def force_unlock(writer: Workspace, mock: MockAzure, told: Told) -> None:
    """Find the state locked, as after a run that was killed, and unlock it."""
    writer.select_workspace("default")
    told.outcomes["planted lock"] = plant_lock(mock)
    told.outcomes["refused meanwhile"] = try_without_lease(mock)
    for name, command in {
        "plan while locked": ("plan",),
        "unlock with another id": ("force-unlock", LOCK_ID.replace("1", "9")),
        "unlock": ("force-unlock", LOCK_ID),
        "plan once more": ("plan",),
    }.items():
        force = {"force": Flag} if len(command) == 2 else {"input": False}
        done = writer.runner.run(*command, no_color=Flag, **force)
        told.outcomes[name] = (done.exit_code, "somebody@elsewhere" in done.text)


def plant_lock(mock: MockAzure) -> list[int]:
    lock = {"ID": LOCK_ID, "Operation": "OperationTypeApply", "Who": "somebody@elsewhere"}
    info = {**lock, "Info": "", "Version": "1.6.6", "Path": "", "Created": "2026-01-02T03:04:05Z"}
    text = base64.b64encode(json.dumps(info).encode()).decode()
    acquire = {"lease_action": "acquire", "lease_duration": "-1", "proposed_lease_id": LOCK_ID}
    mark = {"lease_id": LOCK_ID, "meta_terraformlockid": text}
    return [
        call(mock, "PUT", f"{STATE}?comp=lease", headers=acquire).status,
        call(mock, "PUT", f"{STATE}?comp=metadata", headers=mark).status,
    ]


def try_without_lease(mock: MockAzure) -> list[int]:
    """Do what two Terraforms that race for a state do to each other."""
    other = LOCK_ID.replace("1", "9")
    acquire = {"lease_action": "acquire", "lease_duration": "-1", "proposed_lease_id": other}
    release = {"lease_action": "release", "lease_id": other}
    return [
        call(mock, "PUT", f"{STATE}?comp=lease", headers=acquire).status,
        call(mock, "PUT", f"{STATE}?comp=lease", headers=release).status,
        call(mock, "PUT", f"{STATE}?comp=metadata", headers={}).status,
        call(mock, "PUT", STATE, headers={"blob_type": "BlockBlob"}).status,
        call(mock, "DELETE", STATE, headers={"lease_id": other}).status,
    ]


def destroy(writer: Workspace, told: Told) -> None:
    writer.destroy()
    writer.select_workspace("blue")
    writer.destroy()
    writer.select_workspace("default")
    writer.run("workspace delete", "blue", no_color=Flag)
    told.outcomes["workspaces at the end"] = writer.run("workspace list").stdout.split()


@pytest.fixture(scope="module")
def ours() -> Told:
    return tell(lambda mock: mock.blobs.handle, container=False)


def test_the_story_ends_as_it_should_on_ours(ours: Told) -> None:
    assert ours.outcomes == {
        "plan": True,
        "output": {"name": "of default"},
        "plan after": False,
        "output of blue": {"name": "of blue"},
        "workspaces": ["default", "*", "blue", "green"],
        "blue once more": 1,
        "read by another": {"read": "of blue"},
        "planted lock": [201, 200],
        "refused meanwhile": [409, 409, 412, 412, 412],
        "plan while locked": (1, True),
        "unlock with another id": (1, True),
        "unlock": (0, False),
        "plan once more": (0, False),
        "workspaces at the end": ["*", "default"],
    }


def test_the_story_asks_for_everything_that_the_backend_does(ours: Told) -> None:
    asked = {
        (exchange.method, dict(exchange.query).get("comp", ""), exchange.status)
        for exchange in ours.exchanges
    }
    assert asked >= {
        ("GET", "", 200),
        ("GET", "", 404),
        ("GET", "list", 200),
        ("HEAD", "", 200),
        ("HEAD", "", 404),
        ("PUT", "", 201),
        ("PUT", "lease", 200),
        ("PUT", "lease", 201),
        ("PUT", "lease", 409),
        ("PUT", "metadata", 200),
        ("PUT", "", 412),
        ("DELETE", "", 202),
    }
    assert {exchange.lease for exchange in ours.exchanges} >= {"available", "leased"}
    assert {exchange.is_marked_as_locked for exchange in ours.exchanges} == {True, False}


def test_azurite_answers_the_same_requests_in_the_same_way(ours: Told, azurite: Azurite) -> None:
    theirs = tell(lambda _mock: azurite.handle, container=True)
    assert theirs.outcomes == ours.outcomes
    assert theirs.exchanges == ours.exchanges


@pytest.mark.parametrize(
    "other",
    [
        Response(200),
        Response(201, headers={"x-ms-lease-state": "leased"}),
        Response(201, headers={"x-ms-error-code": "LeaseAlreadyPresent"}),
        Response(201, headers={"x-ms-meta-terraformlockid": "abc"}),
    ],
)
def test_another_answer_to_the_same_request_is_noticed(other: Response) -> None:
    one, two = Recorded(lambda _request: Response(201)), Recorded(lambda _request: other)
    for service in (one, two):
        service(Request("PUT", "https", HOST, f"{STATE}?comp=lease"))
    assert one.exchanges != two.exchanges
