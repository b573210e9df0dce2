import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK

from receipts import keys, multikey, published
from receipts.keys import Compromise, KeyUnusable, LocalKey, PublicKey
from tests.receipts.examples import ISSUER, KEY, OTHER_KEY, VECTORS

RFC8032 = json.loads((VECTORS / "rfc8032_section7_1_tests_1_to_3.json").read_text())
W3C_SEED = multikey.from_multibase(
    json.loads((VECTORS / "vc-di-eddsa" / "keyPair.json").read_text())["privateKeyMultibase"]
)[2:]

LOST = replace(OTHER_KEY.public, compromised=Compromise(datetime(2026, 12, 24, 18, tzinfo=UTC), 4711))
KEYS = [KEY.public, LOST]


def setting(seed: bytes, kid: str = "2026-11-a") -> str:
    return f"{kid}:{base64.b64encode(seed).decode()}"


class TestLocalKey:
    @pytest.mark.parametrize("vector", RFC8032, ids=lambda vector: vector["name"])
    def test_signs_the_examples_of_rfc_8032(self, vector):
        key = LocalKey.from_seed(ISSUER, "a", bytes.fromhex(vector["secretKey"]))
        message = bytes.fromhex(vector["message"])

        assert key.public.raw.hex() == vector["publicKey"]
        assert key.sign(message).hex() == vector["signature"]
        assert key.public.verifies(bytes.fromhex(vector["signature"]), message)

    def test_is_read_from_a_setting(self):
        key = LocalKey.parse(setting(b"receipt key of the tests, no. 1."), ISSUER)

        assert key.public == KEY.public
        assert key.public.id == "did:web:localhost%3A8000#2026-11-a"

    @pytest.mark.parametrize(
        "seed", [bytes(32), W3C_SEED, *(bytes.fromhex(vector["secretKey"]) for vector in RFC8032)]
    )
    def test_refuses_a_seed_that_everyone_knows(self, seed):
        with pytest.raises(KeyUnusable, match="is published"):
            LocalKey.parse(setting(seed), ISSUER)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2026-11-a",
            "2026-11-a:",
            "2026-11-a:c2hvcnQ=",
            "2026-11-a:%%",
            "a b:c2hvcnQ=",
            "did:web:x#a:AA",
        ],
    )
    def test_refuses_what_is_no_key(self, text):
        with pytest.raises(KeyUnusable):
            LocalKey.parse(text, ISSUER)

    def test_never_shows_the_seed(self):
        secret = setting(bytes(32)).partition(":")[2]

        with pytest.raises(KeyUnusable) as refused:
            LocalKey.parse(setting(bytes(32)), ISSUER)

        assert secret not in str(refused.value)
        assert repr(bytes(KEY._seed)) not in repr(KEY)


class TestPublicKey:
    def test_has_the_thumbprint_of_rfc_8037(self):
        raw = bytes.fromhex(RFC8032[0]["publicKey"])

        assert PublicKey(ISSUER, "a", raw).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    @pytest.mark.parametrize("signature", [b"", bytes(64), KEY.sign(b"another")])
    def test_refuses_another_signature(self, signature):
        assert not KEY.public.verifies(signature, b"message")


class TestIssuer:
    @pytest.mark.parametrize(
        ("base_url", "did"),
        [
            ("http://localhost:8000", "did:web:localhost%3A8000"),
            ("https://carbon.example", "did:web:carbon.example"),
            ("https://Carbon.Example/", "did:web:carbon.example"),
        ],
    )
    def test_is_the_host_of_the_site(self, base_url, did):
        assert keys.issuer(base_url) == did

    def test_refuses_what_has_no_host(self):
        with pytest.raises(ValueError, match="no host"):
            keys.issuer("carbon.example")


class TestDidDocument:
    def test_lists_each_key_and_trusts_those_that_nobody_stole(self):
        document = published.did_document(ISSUER, KEYS)

        assert [method["id"] for method in document["verificationMethod"]] == [key.id for key in KEYS]
        assert document["assertionMethod"] == [KEY.public.id]
        assert document["verificationMethod"][1]["revoked"] == "2026-12-24T18:00:00Z"

    def test_leaves_out_the_keys_of_others(self):
        stranger = replace(KEY.public, issuer="did:web:stranger.example")

        assert published.did_document(ISSUER, [stranger])["verificationMethod"] == []

    def test_is_read_back(self):
        text = json.dumps(published.did_document(ISSUER, KEYS)).encode()

        assert published.read_did_document(text) == KEYS

    @pytest.mark.parametrize(
        "changed",
        [
            {"verificationMethod": None},
            {"assertionMethod": []},
            {"id": "did:web:stranger.example"},
            {"verificationMethod": [{"id": f"{ISSUER}#a", "controller": ISSUER, "publicKeyMultibase": "z6"}]},
        ],
    )
    def test_is_refused_where_it_does_not_say_all(self, changed):
        document = published.did_document(ISSUER, [KEY.public]) | changed

        with pytest.raises(published.KeysUnreadable):
            published.read_did_document(json.dumps(document).encode())

    @pytest.mark.parametrize(
        ("member", "value"),
        [("id", "did:web:stranger.example#1"), ("controller", "did:web:stranger.example")],
    )
    def test_is_refused_with_a_key_of_somebody_else(self, member, value):
        document = published.did_document(ISSUER, [KEY.public])
        document["verificationMethod"][0][member] = value
        document["assertionMethod"].append("did:web:stranger.example#1")

        with pytest.raises(published.KeysUnreadable, match="is not a key of"):
            published.read_did_document(json.dumps(document).encode())


class TestJwkSet:
    def test_is_the_key_for_other_libraries(self):
        (jwk,) = published.jwk_set(KEYS)["keys"]

        assert PyJWK(jwk, algorithm="EdDSA").key.public_bytes_raw() == KEY.public.raw
        assert (jwk["kid"], "alg" in jwk) == (KEY.public.id, False)


class TestPem:
    def test_is_the_key_for_other_libraries(self):
        assert load_pem_public_key(published.pem(KEY.public).encode()).public_bytes_raw() == KEY.public.raw
