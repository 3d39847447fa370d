"""A guard against the network: Python's sockets only reach loopback, and what does not use them (curl) is sent to a
proxy of ours, by the environment, which counts and refuses."""

import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest


def is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a path of this machine
    host = str(address[0])
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What tried to leave; a test that expects something there takes it out."""
    strayed: list[Any] = []

    def guarded(connect: Any) -> Any:
        def only_here(self: socket.socket, address: Any) -> Any:
            if not is_loopback(address):
                strayed.append(address)
                raise OSError(f"a test wanted to reach {address}")
            return connect(self, address)

        return only_here

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
    with socket.create_server(("127.0.0.1", 0)) as trap:
        proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
            monkeypatch.setenv(name.upper(), proxy)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "127.0.0.1,localhost")
        stopped = threading.Event()
        thread = threading.Thread(target=_refuse, args=(trap, strayed, stopped), daemon=True)
        thread.start()
        try:
            yield strayed
        finally:
            stopped.set()
            thread.join()
    assert not strayed, f"the test reached out for {strayed}"


def _refuse(trap: socket.socket, strayed: list[Any], stopped: threading.Event) -> None:
    trap.settimeout(0.05)
    while not stopped.is_set():
        try:
            connection, _ = trap.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(1)
            strayed.append(connection.recv(200))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
