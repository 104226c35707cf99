"""What the signer adds is what the service asks for, in each library that may carry it."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
from django.core.management import CommandError, call_command

from accounts.client import Signer
from accounts.client.signer import authority, path
from accounts.signatures import Message, claim, verify
from tests.accounts.signed import KEYID, NONCE, NOW, SECRET

SHOWN = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
SITE = "https://mainstay.example"


@pytest.fixture
def signer() -> Signer:
    return Signer(KEYID, SHOWN)


def holds(method: str, url: httpx2.URL, headers: Any, body: bytes) -> None:
    """As the service sees it, which routes on decoded paths."""
    message = Message(
        method=method,
        scheme=url.scheme,
        authority=headers.get("host") or url.netloc.decode(),
        path=url.path,
        query=url.query.decode(),
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
    )
    now = int(message.headers["signature-input"].split("created=")[1].split(";")[0])
    verify(message, claim(message, now=now), secret=SECRET)


def test_a_vector(signer: Signer) -> None:
    added = signer.sign(
        "post", f"{SITE}:443/a%2Fb%20c?x=%20", body=b"{}", created=NOW, nonce=NONCE,
        headers={"Idempotency-Key": " order-7 "},
    )  # fmt: skip
    assert added == {
        "Content-Type": "application/json",
        "Content-Digest": "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:",
        "Signature-Input": 'sig1=("@method" "@authority" "@path" "@query" "content-type"'
        ' "content-digest" "idempotency-key");created=1700000000;keyid="kkkkkkkkkkkkkkkkkkkkkk"'
        ';alg="hmac-sha256";nonce="nnnnnnnnnnnnnnnnnnnnnn";tag="mainstay"',
        "Signature": "sig1=:ETZWDg6LsTFtf8vgwSejJhihXmIdCat+vq6J5yFu/Bw=:",
    }


URLS = [
    "/", "", "/api/v1/locks?b=1&a=2", "/a%2Fb", "/imagen:eu/x@1", "/a b/é?q=é x", "/~a?", "/%22%7B",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("body", [b"", b'{"a": 1}'], ids=["bare", "body"])
def test_httpx2_sends_what_holds(signer: Signer, url: str, body: bytes) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    with httpx2.Client(transport=httpx2.MockTransport(answer), auth=signer) as client:
        client.post(SITE + url, content=body)
        client.request("GET", SITE + url, content=iter([body]))
    for request in seen:
        holds(request.method, request.url, request.headers, request.content)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("body", [None, b'{"a": 1}', "text é"], ids=["bare", "bytes", "text"])
def test_requests_sends_what_holds(signer: Signer, url: str, body: Any) -> None:
    made = requests.Request("PUT", SITE + url, data=body, auth=signer).prepare()
    sent = made.body or b""
    wire = sent.encode() if isinstance(sent, str) else sent
    assert made.url is not None
    holds("PUT", httpx2.URL(made.url), made.headers, bytes(wire))


def test_each_sending_has_a_nonce_of_its_own(signer: Signer) -> None:
    made = {signer.sign("GET", SITE)["Signature-Input"].split("nonce=")[1] for _ in range(50)}
    assert len(made) == 50


def test_a_stream_that_cannot_be_read_twice_is_refused(signer: Signer) -> None:
    def stream() -> Iterator[bytes]:
        yield b"x"

    with pytest.raises(TypeError, match="stream"):
        requests.Request("PUT", SITE, data=stream(), auth=signer).prepare()


@pytest.mark.parametrize(
    ("keyid", "secret"),
    [("", SHOWN), ('a"b', SHOWN), ("a" * 65, SHOWN), (KEYID, "short"), (KEYID, "")],
)
def test_what_is_no_key_is_refused_at_once(keyid: str, secret: str) -> None:
    with pytest.raises(ValueError, match="not"):
        Signer(keyid, secret)


def test_a_signer_does_not_show_its_secret(signer: Signer) -> None:
    assert SHOWN not in repr(signer)


def test_paths_and_hosts_have_one_spelling() -> None:
    from urllib.parse import urlsplit

    assert path("") == "/"
    assert path("/%61%2f%C3%A9%25") == "/a/%C3%A9%25"
    with pytest.raises(ValueError, match="utf-8"):
        path("/%ff")
    assert authority(urlsplit("http://u:p@Host.Example:80/")) == "host.example"
    assert authority(urlsplit("https://host:80/")) == "host:80"
    assert authority(urlsplit("https://host/"), "Other:443") == "other"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("accounts", "sign", *arguments, "--key", KEYID, stdout=out)
    return out.getvalue()


def test_the_command_prints_headers_for_curl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGNING_SECRET", SHOWN)
    file = tmp_path / "body"
    file.write_bytes(b'{"a": 1}')
    url = f"{SITE}/api/v1/generations?x"
    for body in (["--data", '{"a": 1}'], ["--data-file", str(file)]):
        printed = run("POST", url, *body, "--header", "Idempotency-Key: order-7")
        headers = dict(line.split(": ", 1) for line in printed.splitlines())
        assert headers["Idempotency-Key"] == "order-7"
        holds("POST", httpx2.URL(url), headers, b'{"a": 1}')
        assert SHOWN not in printed
    assert json.loads(run("GET", url, "--json")).keys() == {"Signature-Input", "Signature"}


def test_the_command_takes_the_secret_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNING_SECRET", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SHOWN}\n"))
    assert run("GET", SITE).startswith("Signature-Input: sig1=(")


@pytest.mark.parametrize("arguments", [["GET", f"{SITE}/%ff"], ["GET", SITE, "--data-file", "/no"]])
def test_the_command_tells_what_cannot_be_signed(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("SIGNING_SECRET", SHOWN)
    with pytest.raises(CommandError):
        run(*arguments)
    monkeypatch.setenv("SIGNING_SECRET", "nonsense")
    with pytest.raises(CommandError, match="32 bytes"):
        run("GET", SITE)
