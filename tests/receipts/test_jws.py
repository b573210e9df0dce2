import base64
import json

import jwt
import pytest

from receipts import canonical, jws
from receipts.keys import base64url
from receipts.refusals import BadSignature, DuplicateKey, NotJson, Profile
from tests.receipts.examples import KEY, LOG_SIGNER, OTHER_KEY, unsigned
from tests.receipts.test_credential import Agreeable

TOKEN = jws.sign(unsigned(), KEY)
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")
HEAD = json.loads(base64.urlsafe_b64decode(HEADER + "=="))


def token(header: object = HEAD, payload: bytes = canonical.encode(unsigned())) -> bytes:
    """Signed with our key, whatever it says."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = f"{base64url(head)}.{base64url(payload)}"
    return f"{signing_input}.{base64url(KEY.sign(signing_input.encode()))}".encode()


class TestSign:
    def test_carries_the_canonical_bytes(self):
        assert base64.urlsafe_b64decode(PAYLOAD + "==") == canonical.encode(unsigned())

    def test_says_how_and_by_whom_it_is_signed(self):
        assert sorted(HEAD.items()) == [
            ("alg", "EdDSA"),
            ("cty", "vc"),
            ("kid", KEY.public.id),
            ("typ", "vc+jwt"),
        ]

    def test_is_read_by_another_library(self):
        key = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": base64url(KEY.public.raw)}).key

        assert jwt.PyJWS().decode(TOKEN, key, ["EdDSA"]) == canonical.encode(unsigned())

    def test_gives_out_nothing_that_does_not_hold(self):
        with pytest.raises(BadSignature):
            jws.sign(unsigned(), Agreeable())


class TestRead:
    def test_gives_what_was_signed(self):
        read = jws.read(TOKEN.encode())

        read.check(KEY.public)
        assert (read.payload, read.key_id) == (unsigned(), KEY.public.id)

    @pytest.mark.parametrize("key", [OTHER_KEY.public, LOG_SIGNER.public])
    def test_refuses_another_key(self, key):
        with pytest.raises(BadSignature):
            jws.read(TOKEN.encode()).check(key)

    @pytest.mark.parametrize(
        "header",
        [
            HEAD | {"alg": "none"},
            HEAD | {"alg": "HS256"},
            HEAD | {"typ": "JWT"},
            HEAD | {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64url(OTHER_KEY.public.raw)}},
            HEAD | {"crit": ["b64"], "b64": False},
            {},
            [],
        ],
    )
    def test_refuses_every_other_header(self, header):
        with pytest.raises(BadSignature):
            jws.read(token(header))

    def test_refuses_a_token_without_a_signature(self):
        unsecured = base64url(json.dumps(HEAD | {"alg": "none"}).encode())

        with pytest.raises(BadSignature):
            jws.read(f"{unsecured}.{PAYLOAD}.".encode())

    @pytest.mark.parametrize(
        ("made", "refusal"),
        [
            (token(payload=b"{"), NotJson),
            (token(payload=b'{"a":"b","a":"b"}'), DuplicateKey),
            (token(header=b'{"alg":"none","alg":"EdDSA"}'), DuplicateKey),
            (token(payload=b'{"a":null}'), Profile),
            (token(payload=b'{"a": "b"}'), Profile),
        ],
    )
    def test_refuses_what_is_not_canonical(self, made, refusal):
        with pytest.raises(refusal):
            jws.read(made)

    def test_refuses_another_spelling_of_the_same_signature(self):
        respelled = TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1)  # the last letter has four bits that mean nothing

        assert jwt.utils.base64url_decode(respelled.split(".")[2]) == jws.read(TOKEN.encode()).signature
        with pytest.raises(BadSignature):
            jws.read(respelled.encode())
