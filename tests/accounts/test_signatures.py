import hmac
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import pytest
from http_message_signatures.algorithms import HMAC_SHA256

from accounts.client.signer import signature_base
from accounts.signatures import Claim, Message, Refused, claim, verify

from .signed import KEYID, NONCE, NOW, SECRET, digest, signature

BODY = b'{"prompt": "a lighthouse"}'
PLAIN = {
    "@method": "GET",
    "@authority": "mainstay.example",
    "@path": "/api/v1/generations",
    "@query": "?b=1&a=2",
}
WITH_BODY = {
    **PLAIN,
    "@method": "POST",
    "content-type": "application/json",
    "content-digest": digest(BODY),
}


def message(headers: dict[str, str], **parts: Any) -> Message:
    given = {
        "method": "GET", "scheme": "https", "authority": "mainstay.example",
        "path": "/api/v1/generations", "query": "b=1&a=2", "body": b"",
    }  # fmt: skip
    return Message(headers=headers, **(given | parts))


def signed(values: dict[str, str] = PLAIN, **parameters: Any) -> Message:
    return message(signature(values, **parameters))


def posted(values: dict[str, str] = WITH_BODY, **parameters: Any) -> Message:
    fields = {name: value for name, value in values.items() if not name.startswith("@")}
    return message(fields | signature(values, **parameters), method="POST", body=BODY)


def refusal(given: Message, *, now: float = NOW) -> str:
    with pytest.raises(Refused) as refused:
        verify(given, claim(given, now=now), secret=SECRET)
    return refused.value.cause


def holds(given: Message, *, now: float = NOW) -> Claim:
    claimed = claim(given, now=now)
    verify(given, claimed, secret=SECRET)
    return claimed


def test_the_primitives_make_the_example_of_the_rfc() -> None:
    """RFC 9421, B.2.5."""
    key = b64decode(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
    )
    values = {
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "@authority": "example.com",
        "content-type": "application/json",
    }
    parameters = (
        '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    )
    base = signature_base(values, parameters).encode()
    expected = "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
    assert b64encode(hmac.digest(key, base, "sha256")).decode() == expected
    HMAC_SHA256(public_key=key).verify(signature=b64decode(expected), message=base)


def test_a_signature_of_the_profile_holds() -> None:
    assert holds(signed()) == holds(posted()) == Claim(keyid=KEYID, nonce=NONCE)


def test_the_order_of_components_is_free_and_more_header_fields_may_be_covered() -> None:
    holds(signed(dict(reversed(PLAIN.items()))))
    more = {**WITH_BODY, "idempotency-key": "order-7"}
    holds(posted(more))
    given = posted(more)
    assert refusal(replace(given, headers={**given.headers, "idempotency-key": "order-8"}))


def test_sha_512_will_do_and_both_digests_must_be_right() -> None:
    holds(posted({**WITH_BODY, "content-digest": digest(BODY, "sha-512")}))
    both = f"{digest(BODY)}, {digest(b'other', 'sha-512')}"
    assert refusal(posted({**WITH_BODY, "content-digest": both}))


def test_an_empty_query_is_signed_as_a_question_mark() -> None:
    bare = signature({**PLAIN, "@query": "?"})
    holds(message(bare, query=""))
    assert refusal(message(bare, query="a"))


@pytest.mark.parametrize(
    ("routed", "written"),
    [
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a%2Fb", "/a%252Fb"),
        ("/imagen:eu/x@1;v=2,3", "/imagen:eu/x@1;v=2,3"),
        ("/~a-b._c", "/~a-b._c"),
        ('/"<>\\^`{|}', "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("/x/../y//z", "/x/../y//z"),
    ],
)
def test_the_path_is_what_is_routed_on_encoded_where_it_must_be(routed: str, written: str) -> None:
    holds(message(signature({**PLAIN, "@path": written}), path=routed))


@pytest.mark.parametrize(
    "written", ["/api%2Fv1/generations", "/api/v1/%67enerations", "/api/v1//generations",
                "/api/v1/./generations", "/api/v1/generations/", "/API/v1/generations"],
)  # fmt: skip
def test_no_other_spelling_of_the_path_holds(written: str) -> None:
    assert refusal(signed({**PLAIN, "@path": written}))


@pytest.mark.parametrize(
    "part",
    [
        {"method": "PUT"},
        {"authority": "other.example"},
        {"authority": "mainstay.example:8443"},
        {"path": "/api/v1/locks"},
        {"query": "a=2&b=1"},
        {"query": ""},
        {"query": "b=1&a=2&"},
        {"body": b'{"prompt": "another"}'},
        {"body": b""},
    ],
    ids=str,
)
def test_no_part_of_the_request_can_be_changed(part: dict[str, Any]) -> None:
    assert refusal(replace(posted(), **part))


@pytest.mark.parametrize("name", ["content-type", "content-digest"])
@pytest.mark.parametrize("value", ["text/plain", digest(b"other"), "md5=:AAAA:", "", "x"])
def test_no_covered_header_can_be_changed(name: str, value: str) -> None:
    given = posted()
    assert refusal(replace(given, headers={**given.headers, name: value}))


@pytest.mark.parametrize("name", [*WITH_BODY])
def test_each_component_has_to_be_covered(name: str) -> None:
    left = {each: value for each, value in WITH_BODY.items() if each != name}
    given = message(
        {"content-type": "application/json", "content-digest": digest(BODY)} | signature(left),
        method="POST", body=BODY,
    )  # fmt: skip
    assert refusal(given) == f"{name} is not covered"


@pytest.mark.parametrize(
    ("parameters", "cause"),
    [
        ({"created": NOW - 301}, "created +301 seconds ago"),
        ({"created": NOW + 61}, "created -61 seconds ago"),
        ({"created": None}, "created or expires is no integer"),
        ({"created": "1700000000"}, "created or expires is no integer"),
        ({"expires": "never"}, "created or expires is no integer"),
        ({"expires": NOW}, "expired"),
        ({"nonce": "n" * 21}, "no proper nonce"),
        ({"nonce": "n" * 65}, "no proper nonce"),
        ({"nonce": None}, "no proper nonce"),
        ({"nonce": 10**14}, "no proper nonce"),
        ({"keyid": None}, "no proper keyid"),
        ({"keyid": ""}, "no proper keyid"),
        ({"keyid": "k" * 65}, "no proper keyid"),
        ({"tag": "other"}, "not one signature sig1 with our tag, but 0"),
        ({"tag": None}, "not one signature sig1 with our tag, but 0"),
        ({"label": "sig2"}, "not one signature sig1 with our tag, but 1"),
        ({"alg": "hmac-sha512"}, "Unexpected algorithm specified in the signature"),
        ({"alg": "ed25519"}, "Unexpected algorithm specified in the signature"),
        ({"alg": 5}, 'Parameter "alg" must be a Structured Field String'),
        ({"foreign": "x"}, 'Unexpected signature metadata parameter "foreign"'),
    ],
    ids=str,
)
def test_a_parameter_out_of_the_profile_is_refused(parameters: dict[str, Any], cause: str) -> None:
    assert refusal(signed(**parameters)) == cause


@pytest.mark.parametrize(
    "parameters",
    [
        {"created": NOW - 300},
        {"created": NOW + 60},
        {"expires": NOW + 1},
        {"nonce": "n" * 64},
        {"alg": "hmac-sha256"},
    ],
    ids=str,
)
def test_the_edges_of_the_profile_are_inside(parameters: dict[str, Any]) -> None:
    holds(signed(**parameters))


INPUT = signature(PLAIN)["signature-input"]


@pytest.mark.parametrize(
    "fields",
    [
        {"signature-input": ""},
        {"signature": ""},
        {"signature-input": "sig1=("},
        {"signature-input": "é"},
        {"signature-input": f"{INPUT}, {INPUT}"},
        {"signature-input": f"{INPUT}, other{INPUT.removeprefix('sig1')}"},
        {"signature-input": INPUT + " " * 4_096},
        {"signature-input": 'sig1=5;tag="mainstay"'},
        {"signature-input": 'sig1=?1;tag="mainstay"'},
        {"signature-input": INPUT.replace('"@method"', '"@method" "@method"')},
        {"signature-input": INPUT.replace('"@method"', "5")},
        {"signature-input": INPUT.replace('"@method"', '"@method";req')},
        {"signature-input": INPUT.replace('"@method"', '"@method" "@scheme"')},
        {"signature-input": INPUT.replace('"@method"', '"@method" "@target-uri"')},
        {"signature-input": INPUT.replace('"@method"', '"@method" "@signature-params"')},
        {"signature-input": INPUT.replace('"@method"', '"@method" "absent"')},
        {"signature-input": INPUT.replace("keyid", "keyid=1;keyid")},
        {"signature": "sig1=5"},
        {"signature": "sig1=:AAAA:"},
        {"signature": "other=:AAAA:"},
        {"signature": "sig1=:" + "A" * 4_096 + ":"},
        {"content-encoding": "gzip"},
        {"content-digest": digest(b"")[:-5]},
    ],
    ids=range(23),
)
def test_malformed_headers_are_refused(fields: dict[str, str]) -> None:
    assert refusal(message(signature(PLAIN) | fields))


def test_signatures_with_other_tags_may_stand_beside_ours() -> None:
    ours, other = signature(PLAIN), signature(PLAIN, label="cdn", tag="cdn")
    holds(message({name: f"{other[name]}, {ours[name]}" for name in ours}))


def test_the_digest_of_an_empty_body_is_checked_where_there_is_one() -> None:
    fields = {"content-digest": digest(b"")}
    holds(message(fields | signature({**PLAIN, **fields})))
    assert refusal(message(fields | signature(PLAIN)))


def test_another_secret_does_not_hold() -> None:
    given = signed()
    with pytest.raises(Refused, match="did not match") as refused:
        verify(given, claim(given, now=NOW), secret=b"x" * 32)
    assert refused.value.keyid == KEYID


def test_what_cannot_be_a_url_is_refused() -> None:
    for part in ({"query": "é"}, {"query": "%zz"}, {"path": "/\ud800"}, {"authority": ""}):
        assert refusal(replace(signed(), **part))
