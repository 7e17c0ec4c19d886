"""Pytest in a process of its own that does not import everything anew: a fork of one that has.

The suite starts pytest about a thousand times, and two thirds of that is imports. So each worker of
it keeps a process that has imported pytest and the plugin, and nothing else, and has it fork for
each run: what runs is a process with its own memory, environment, folder and output, as a new
interpreter would be. Where an interpreter would start otherwise (`PYTHON…`, the locale, coverage),
or where there is no fork, a new one is started.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

OWN = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")  # which a fork can follow
STARTING = ("PYTHON", "COV", "LC_", "LANG")  # what an interpreter reads as it starts
DISABLED = "TFOIDC_TEST_FORK"  # 0: start a new interpreter each time
AT_START = dict(os.environ)  # of the suite, and not of a test
LENGTH = struct.Struct("!I")
PLUGIN = "pytest_tfoidc"
# Plugins that pytest would warn of, were they imported before it starts.
LEFT_OUT = (f"{PLUGIN}.plugin.xdist",)


class Forked:
    """A run of pytest; as much of `subprocess.Popen` as pytester needs."""

    stdin = None

    def __init__(self, server: Server, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: It has not ended.
        """
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(self._server.status(timeout))
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Server:
    """The process that forks; one run at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=AT_START
            )
        self._socket = ours
        self.busy = threading.Lock()

    def fork(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: Sequence[int]
    ) -> Forked:
        """Start a run, in this process's folder; `output`: its standard output and error."""
        umask = os.umask(0)
        os.umask(umask)
        asked = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": str(Path.cwd()),
            "umask": umask,
        }
        text = json.dumps(asked).encode()
        socket.send_fds(self._socket, [LENGTH.pack(len(text))], list(output))
        self._socket.sendall(text)
        self._socket.settimeout(None)
        return Forked(self, _number(self._socket))

    def status(self, timeout: float | None) -> int:
        """Return how the run has ended, as `os.waitpid` does."""
        self._socket.settimeout(timeout)
        try:
            status = _number(self._socket)
        except TimeoutError:
            raise subprocess.TimeoutExpired("pytest", timeout or 0) from None
        except EOFError:  # it was killed
            server.cache_clear()
            return signal.SIGKILL
        self.busy.release()
        return status

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


def _number(connection: socket.socket) -> int:
    (number,) = LENGTH.unpack(_exactly(connection, LENGTH.size))
    return int(number)


def _exactly(connection: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = connection.recv(size - len(read))
        if not part:
            raise EOFError
        read += part
    return read


@functools.cache
def server() -> Server:
    """Return this process's server."""
    return Server()


def close() -> None:
    """End this process's server, if there is one."""
    if server.cache_info().currsize:
        server().close()
        server.cache_clear()


def popen(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: IO[str],
    stderr: IO[str],
) -> Forked | None:
    """Start pytest as a fork; None where a new interpreter has to be started."""
    if command[:2] != (sys.executable, "-mpytest") or not hasattr(os, "fork"):
        return None
    if sys.platform != "linux" or environment.get(DISABLED) == "0":
        return None
    ours = server()
    if _starting(environment) != _starting(AT_START):
        return None
    if not ours.busy.acquire(blocking=False):
        return None
    return ours.fork(command[2:], environment, [stdout.fileno(), stderr.fileno()])


def _starting(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(STARTING) and name not in OWN
    }


def _serve(connection: socket.socket) -> dict[str, Any]:
    """Fork for each request until there are no more; return it in the fork."""
    while True:
        try:
            head, files, _, _ = socket.recv_fds(connection, LENGTH.size, 2)
            (size,) = LENGTH.unpack(head)
            asked: dict[str, Any] = json.loads(_exactly(connection, size))
        except (EOFError, struct.error, OSError):
            sys.exit()
        pid = os.fork()
        if pid == 0:
            for number, file in enumerate(files, start=1):
                os.dup2(file, number)
            os.closerange(3, max(*files, connection.fileno()) + 1)
            return asked
        for file in files:
            os.close(file)
        connection.sendall(LENGTH.pack(pid))
        _, status = os.waitpid(pid, 0)
        connection.sendall(LENGTH.pack(status))


def _import_all() -> None:
    """Import what runs of pytest import, so that no fork has to."""
    config = importlib.import_module("_pytest.config")
    for name in config.default_plugins:
        importlib.import_module(f"_pytest.{name}")
    package = importlib.import_module(PLUGIN)
    for module in pkgutil.walk_packages(package.__path__, f"{PLUGIN}."):
        if module.name not in LEFT_OUT and not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    for name, loaded in sys.modules.items():
        if name.startswith(PLUGIN):  # too late to be rewritten, which would be told
            loaded.__doc__ = f"{loaded.__doc__}\nPYTEST_DONT_REWRITE"


def _become(asked: Mapping[str, Any]) -> None:
    """Be what `python -m pytest` is."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.umask(asked["umask"])
    os.chdir(asked["folder"])
    time.tzset()
    own = os.environ.get("PYTHONPATH", "")
    sys.path[0:1] = [asked["folder"], *filter(None, own.split(os.pathsep))]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = ["pytest", *asked["arguments"]]
    importlib.invalidate_caches()
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _import_all()
    gc.collect()
    gc.freeze()
    _become(_serve(socket.socket(fileno=int(sys.argv[1]))))
