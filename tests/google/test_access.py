"""Whether Google could be called, without calling it: the real google-auth, and real sockets."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google import genai
from google.oauth2.credentials import Credentials

from breaker.contrib.google.access import (
    Access,
    Endpoint,
    TokenRefused,
    TokenUnreached,
    endpoint,
    hostname,
)
from breaker.contrib.google.conf import Settings


class TokenEndpoint(ThreadingHTTPServer):
    daemon_threads = True
    status = 200
    asked = 0


class Answer(BaseHTTPRequestHandler):
    server: TokenEndpoint

    def do_POST(self) -> None:
        self.server.asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def tokens() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def account(
    tmp_path: Path, tokens: TokenEndpoint, private_key: str, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The credentials that google-auth finds: a service account whose tokens come from there."""
    file = tmp_path / "account.json"
    write(file, private_key, tokens.server_port)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    return file


def write(file: Path, private_key: str, port: int) -> None:
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "shop",
                "private_key_id": "1",
                "private_key": private_key,
                "client_email": "shop@shop.iam.gserviceaccount.com",
                "token_uri": f"http://127.0.0.1:{port}/token",
            }
        )
    )


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is silent here is silent for good."""
    monkeypatch.setattr("breaker.contrib.google.access.SECONDS", 0.2)


def test_a_token_is_proof_for_a_while(account: Path, tokens: TokenEndpoint) -> None:
    access = Access()
    for _ in range(3):
        left = access.token_seconds()
        assert left is not None
        assert 3000 < left <= 3600
    assert tokens.asked == 1


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_a_refusal_tells_its_code_and_is_not_repeated(
    account: Path, tokens: TokenEndpoint, status: int
) -> None:
    tokens.status = status
    access = Access()
    with pytest.raises(TokenRefused) as refused:
        access.token_seconds()
    assert (refused.value.code, tokens.asked) == (status, 1)
    tokens.status = 200
    assert access.token_seconds()


def test_without_credentials_there_is_no_token(
    account: Path, caplog: pytest.LogCaptureFixture
) -> None:
    account.unlink()
    access = Access()
    with caplog.at_level(logging.WARNING, "breaker.contrib.google.access"):
        for _ in range(3):
            with pytest.raises(TokenRefused) as refused:
                access.token_seconds()
    assert refused.value.code is None
    assert len(caplog.records) == 1


def test_who_gives_out_tokens_may_be_out_of_reach(
    account: Path, private_key: str, hasty: None
) -> None:
    access = Access()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        write(account, private_key, bound.getsockname()[1])
        with pytest.raises(TokenUnreached):
            access.token_seconds()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        write(account, private_key, silent.getsockname()[1])
        with pytest.raises(TokenUnreached):
            access.token_seconds()


@pytest.mark.parametrize("location", ["us-central1", "europe-west4", "global", "us", "eu"])
def test_the_host_is_the_sdks(location: str) -> None:
    client = genai.Client(
        vertexai=True,
        project="shop",
        location=location,
        credentials=Credentials(token="t"),  # type: ignore[no-untyped-call]
    )
    assert client._api_client._http_options.base_url == f"https://{hostname(location)}/"


@pytest.mark.parametrize(
    ("settings", "proxy", "expected"),
    [
        (Settings(simulator_port=8081), "", Endpoint("127.0.0.1", 8081, tls=False)),
        (Settings(project="p", location="global"), "",
         Endpoint("aiplatform.googleapis.com", 443, tls=True)),
        (Settings(project="p"), "http://proxy.internal:3128",
         Endpoint("proxy.internal", 3128, tls=False)),
    ],
    ids=["the simulator", "Google", "a proxy"],
)  # fmt: skip
def test_where_calls_go_first(
    settings: Settings, proxy: str, expected: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", proxy)
    assert endpoint(settings) == expected


def test_who_listens_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Endpoint("127.0.0.1", server.getsockname()[1], tls=False).reach()


def test_who_does_not_listen_or_speaks_no_tls_is_not(tokens: TokenEndpoint, hasty: None) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            Endpoint("127.0.0.1", bound.getsockname()[1], tls=False).reach()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        Endpoint("127.0.0.1", silent.getsockname()[1], tls=True).reach()
    with pytest.raises(OSError, match=r"(?i)ssl"):
        Endpoint("127.0.0.1", tokens.server_port, tls=True).reach()
    with pytest.raises(socket.gaierror):
        Endpoint("no such host", 443, tls=True).reach()
