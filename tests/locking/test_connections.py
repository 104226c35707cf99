"""Connections over TLS, with a password, and in forked children."""

import asyncio
import gc
import os
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from asgiref.sync import async_to_sync
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from locking import LockUnavailable, connections, lock
from locking.wires import Wire
from tests.locking.conftest import Use
from tests.locking.workers import forked
from tests.product import until
from tests.servers import PortValkey, scratch


def free(name: str) -> None:
    lock(name, wait=0).acquire().release()


async def afree(name: str) -> None:
    lease = await lock(name, wait=0).aacquire()
    await lease.arelease()


def ids(store: redis.Redis) -> set[str]:
    # Not the listener's, which is there a little later than what it waits for.
    return {row["id"] for row in store.client_list() if row["db"] == "1" and row["sub"] == "0"}


def test_a_forked_child_works_and_leaves_its_parents_connections_alone(store):
    free("n")
    before = ids(store)
    assert forked(lambda: free("n")) == 0
    free("n")
    until(lambda: ids(store) <= before)


def test_a_forked_child_does_not_keep_its_parents_connections_open(store):
    with_pool = connections.store("locks")
    wire = with_pool.take(1.0)
    wire.send(b"*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n")
    number = str(wire.collect(1, None)[0])
    born, done = os.pipe(), os.pipe()

    def stay() -> None:
        os.write(born[1], b"!")
        os.read(done[0], 1)

    thread = threading.Thread(target=lambda: codes.append(forked(stay)))
    codes: list[int] = []
    thread.start()
    os.read(born[0], 1)
    wire.close()
    while number in ids(store):
        pass
    os.write(done[1], b"!")
    thread.join()
    assert codes == [0]


def test_a_forked_child_of_a_loop_works_and_leaves_the_loop_alone(store):
    def in_a_loop_of_its_own() -> None:
        thread = threading.Thread(target=lambda: results.append(asyncio.run(afree("n"))))
        results: list[None] = []
        thread.start()
        thread.join()
        assert results == [None]

    async def main() -> None:
        await afree("n")
        before = ids(store)
        assert forked(in_a_loop_of_its_own) == 0
        await afree("n")
        until(lambda: ids(store) <= before)

    asyncio.run(main())


@pytest.mark.parametrize(
    "run", [lambda work: asyncio.run(work()), lambda work: async_to_sync(work)()]
)
def test_no_loop_outlives_its_end(run: Callable[[Callable[[], Coroutine[None, None, None]]], None]):
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def work() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await afree("n")

    for _ in range(10):
        run(work)
    gc.collect()
    assert [loop() for loop in loops] == [None] * 10


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_loop_closed_in_a_hurry_goes_when_the_next_one_locks():
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def work() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await afree("n")

    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(work())
        loop.close()
    del loop
    asyncio.run(work())
    gc.collect()
    assert [loop() for loop in loops] == [None] * 4


def test_a_child_forked_while_others_lock_is_not_stuck():
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            free(f"busy {threading.get_ident()}")

    free("n")  # what a thread imports at the moment of a fork, a child can never import
    threads = [threading.Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert [forked(lambda: free("n")) for _ in range(20)] == [0] * 20
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_password_and_a_database_are_given(use: Use):
    server = PortValkey("--requirepass", "")
    server.ask("CONFIG", "SET", "requirepass", "secret word")
    try:
        use(f"redis://:secret%20word@{server.address}/3")
        free("n")
        asyncio.run(afree("n"))
        with redis.Redis(port=server.port, password="secret word", db=4) as client:
            assert client.exists("lock:{n}:s")
        use(f"redis://:wrong@{server.address}/3")
        for attempt in (lambda: free("n"), lambda: asyncio.run(afree("n"))):
            with pytest.raises(LockUnavailable):
                attempt()
    finally:
        server.stop()


@pytest.fixture
def certificate() -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = scratch() / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def tls_port(own_valkey, certificate: Path) -> Iterator[int]:
    """The server behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    sockets: list[socket.socket] = [listener]

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_RDWR)

    def serve(raw: socket.socket) -> None:
        with suppress(OSError):
            client = context.wrap_socket(raw, server_side=True)
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(own_valkey.socket))
            sockets.extend((client, server))
            threading.Thread(target=pump, args=(client, server), daemon=True).start()
            pump(server, client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    yield listener.getsockname()[1]
    for sock in sockets:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
    accepting.join()


def test_locks_over_tls(tls_port: int, certificate: Path, own_valkey, use: Use):
    use(f"rediss://localhost:{tls_port}/0?ssl_ca_certs={certificate}")
    for _ in range(3):
        free("n")
    asyncio.run(afree("n"))
    assert forked(lambda: free("n")) == 0
    free("n")


def test_a_silent_server_behind_tls_is_given_up_in_time(
    tls_port: int, certificate: Path, own_valkey, use: Use
):
    use(f"rediss://localhost:{tls_port}/0?ssl_ca_certs={certificate}")
    free("n")
    own_valkey.pause()
    with pytest.raises(LockUnavailable):
        lock("n", wait=0.3).acquire()
    own_valkey.resume()
    free("m")


def test_a_reply_in_many_pieces_is_one_reply():
    ours, theirs = socket.socketpair()

    class Connection:
        def _get_socket(self) -> socket.socket:
            return ours

        def disconnect(self) -> None:
            ours.close()

    wire = Wire(Connection(), 1.0)
    wire.send(b"PING\r\n")
    reply = b"*2\r\n:1\r\n$5\r\nhello\r\n"
    thread = threading.Thread(
        target=lambda: [theirs.sendall(reply[i : i + 1]) for i in range(len(reply))]
    )
    thread.start()
    assert wire.collect(1, None)[0] == [1, b"hello"]
    thread.join()
    wire.close()
    theirs.close()
