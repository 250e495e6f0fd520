"""A server in the background: `start` serves, or says why it does not."""

import os
import resource
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from emulator import CommandError, EmulatorServer, make_runtime
from emulator.wire.sockets import bind


def made() -> EmulatorServer:
    return EmulatorServer(make_runtime(["generalcompute"], pace=0))


def served(server: EmulatorServer) -> int:
    return httpx.get(f"{server.url}/generalcompute/health").status_code


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest:
        free = lowest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_serves_already_may_be_started() -> None:
    with made().start() as server:
        assert server.start() is server
        assert served(server) == 200
    with pytest.raises(httpx.ConnectError):
        served(server)


@pytest.mark.parametrize("tls", [False, True])
def test_no_host_is_every_address(tls: bool) -> None:
    with EmulatorServer(make_runtime(["generalcompute"], pace=0), host="", tls=tls) as server:
        verify = ssl.create_default_context(cafile=server.ca_file) if tls else True
        assert httpx.get(f"{server['generalcompute'].origin}/health", verify=verify).status_code == 200


def test_a_stopped_server_does_not_start() -> None:
    with made() as server:
        assert served(server) == 200
    server.stop()
    told = "this server was stopped, and its ports are closed: make a new one"
    with pytest.raises(CommandError, match=told):
        server.start()
    with pytest.raises(CommandError, match=told), server:
        pytest.fail("it does not serve")


def test_what_keeps_a_server_from_serving_is_raised() -> None:
    server = made()
    with no_more_descriptors(), pytest.raises(OSError, match="open files"):
        server.start()
    with pytest.raises(CommandError, match="this server was stopped"):
        server.start()


def test_ports_of_ones_own_belong_to_providers_that_there_are_and_come_before_the_start() -> None:
    with made() as server:
        for give in (server.own_port, server.mount, server.root):
            with pytest.raises(CommandError, match="no provider is called 'nope'; there are generalcompute"):
                give("nope")
        with pytest.raises(CommandError, match="the server has started: `own_port` comes before `start`"):
            server.own_port("generalcompute")
        with pytest.raises(CommandError, match="generalcompute has no port of its own: `own_port` gives it one"):
            server.root("generalcompute")
        assert server["generalcompute"].root_url is None
        server.mount("generalcompute")
        assert httpx.get(f"{server.root('generalcompute')}/health").status_code == 200


def test_a_name_where_a_list_of_variants_belongs_is_told() -> None:
    with pytest.raises(CommandError, match=r"the variants of generalcompute are a list: \['older-models'\]"):
        make_runtime(variants={"generalcompute": "older-models"})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_process_that_is_forked_off_stops_nothing(tmp_path: Path) -> None:
    script = Path(__file__).parent / "forked.py"
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path / "state.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert (done.stdout, done.returncode) == ("200 0 2\n", 0), done.stderr


def test_connections_that_are_disturbed_while_the_server_stops() -> None:
    """Whoever disturbs them neither fails nor waits for what nobody will do any more."""
    raised: list[BaseException] = []

    def disturb(server: EmulatorServer, stopped: threading.Event, at_it: threading.Event) -> None:
        emulation = server.tenant()
        try:
            while not stopped.is_set():
                emulation.connections("accept_and_hang").lift()
                at_it.set()
        except BaseException as error:
            raised.append(error)

    for _ in range(10):
        stopped, at_it = threading.Event(), threading.Event()
        with made() as server:
            thread = threading.Thread(target=disturb, args=(server, stopped, at_it), daemon=True)
            thread.start()
            assert at_it.wait(10)
        stopped.set()
        thread.join(10)
        assert not thread.is_alive()
    assert raised == []


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells code that it is on Windows, where there is no uvloop."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "uvloop", None)


@pytest.mark.usefixtures("windows")
def test_on_windows_sockets_are_watched_as_elsewhere() -> None:
    with EmulatorServer(make_runtime(["nugen"], pace=0)) as server:
        health = f"{server.url}/_emulator/health"
        assert httpx.get(health).status_code == 200
        with server.tenant().connections("accept_and_hang"), pytest.raises(httpx.ReadTimeout):
            httpx.get(health, timeout=0.1)
        assert httpx.get(health).status_code == 200


@pytest.mark.usefixtures("windows")
def test_on_windows_no_port_is_shared() -> None:
    with bind("127.0.0.1", 0) as bound:
        assert not bound.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
