import json
from copy import deepcopy
from datetime import UTC, datetime

import pytest

from receipts import canonical, credential, multikey
from receipts.keys import LocalKey, PublicKey
from receipts.refusals import BadSignature, Profile
from tests.receipts.examples import ISSUED, KEY, OTHER_KEY, VECTORS, signed, unsigned

W3C = VECTORS / "vc-di-eddsa"
SUITE = W3C / "eddsa-jcs-2022"
PAIR = json.loads((W3C / "keyPair.json").read_text())
DOCUMENT = json.loads((W3C / "unsigned.json").read_text())
CREATED = datetime(2023, 2, 24, 23, 36, 38, tzinfo=UTC)
W3C_KEY = LocalKey.from_seed(
    f"did:key:{PAIR['publicKeyMultibase']}",
    PAIR["publicKeyMultibase"],
    multikey.from_multibase(PAIR["privateKeyMultibase"])[2:],
)


class Agreeable:
    """A signer that gives a signature of the right length for anything."""

    public = KEY.public

    def sign(self, message: bytes) -> bytes:
        return bytes(64)


class TestExampleOfTheW3C:
    def test_has_the_same_proof_options(self):
        options = credential.proof_options(DOCUMENT, W3C_KEY.public, CREATED)

        assert options == json.loads((SUITE / "proofConfigJCS.json").read_text())
        assert canonical.encode(options).decode() == (SUITE / "proofCanonJCS.txt").read_text().strip()

    def test_has_the_same_hashes(self):
        options = credential.proof_options(DOCUMENT, W3C_KEY.public, CREATED)

        made = credential.signing_input(DOCUMENT, options).hex()

        assert made == (SUITE / "combinedHashJCS.txt").read_text().strip()

    def test_has_the_same_signature(self):
        assert credential.sign(DOCUMENT, W3C_KEY, CREATED) == json.loads(
            (SUITE / "signedJCS.json").read_text()
        )


class TestSign:
    def test_makes_a_proof_that_holds(self):
        made = credential.sign(unsigned(), KEY, ISSUED)

        credential.check(made, KEY.public)
        assert credential.key_id(made) == KEY.public.id
        assert made["proof"]["created"] == "2026-11-03T00:40:00Z"

    def test_signs_nothing_that_readers_may_read_differently(self):
        with pytest.raises(Profile, match="validFrom"):
            credential.sign(unsigned() | {"validFrom": "yesterday"}, KEY, ISSUED)

    def test_gives_out_nothing_that_does_not_hold(self):
        with pytest.raises(BadSignature):
            credential.sign(unsigned(), Agreeable(), ISSUED)


class TestCheck:
    def test_is_the_same_for_two_libraries(self):
        credential.check_twice(signed(), KEY.public)

    @pytest.mark.parametrize("check", [credential.check, credential.check_twice])
    @pytest.mark.parametrize("key", [OTHER_KEY.public, PublicKey("", "", bytes(32))])
    def test_refuses_another_key(self, check, key):
        with pytest.raises(BadSignature):
            check(signed(), key)

    @pytest.mark.parametrize("value", ["", "z", "zzz", "z0", "z" + "1" * 64, "m" + "A" * 86, "z" + "z" * 500])
    def test_refuses_what_is_no_signature(self, value):
        document = signed()
        document["proof"]["proofValue"] = value

        with pytest.raises(BadSignature):
            credential.check(document, KEY.public)

    def test_counts_the_proof_as_signed(self):
        document = signed()
        document["proof"]["created"] = "2026-11-03T00:40:01Z"

        with pytest.raises(BadSignature):
            credential.check(document, KEY.public)


class TestKeyId:
    @pytest.mark.parametrize(
        "proof",
        [
            None,
            [],
            {},
            {"type": ["DataIntegrityProof"]},
            {"cryptosuite": "eddsa-rdfc-2022"},
            {"proofPurpose": "authentication"},
            {"expires": "2099-01-01T00:00:00Z"},
            {"@context": ["https://www.w3.org/ns/credentials/v2"]},
        ],
    )
    def test_is_not_asked_of_another_kind_of_proof(self, proof):
        document = deepcopy(signed())
        document["proof"] = document["proof"] | proof if proof else proof

        with pytest.raises(BadSignature):
            credential.key_id(document)
