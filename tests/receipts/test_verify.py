import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from receipts import canonical, credential, document, jws, status_list
from receipts.keys import Compromise, LocalKey
from receipts.refusals import VALID, Refusal
from receipts.verify import Standing, verify
from tests.receipts.examples import (
    ISSUED,
    ISSUER,
    KEY,
    LOG,
    NAME,
    OTHER_KEY,
    SALT,
    changed,
    proof,
    signed,
    text,
    unsigned,
)

KEYS = [KEY.public, OTHER_KEY.public]
INDEX, SIZE = 3, 7
PROOF = proof(document.leaf(signed()), INDEX, SIZE)
BUNDLE = document.bundle(signed(), PROOF, SALT, NAME)
TOKEN = jws.sign(unsigned(), KEY).encode()

STRANGER = LocalKey.from_seed("did:web:stranger.example", "1", b"a key of somebody else, no. one.")
REPLACEMENTS = '0Z"}, '


def lost(log_index: int) -> list:
    at = datetime(2026, 12, 24, tzinfo=UTC)
    return [replace(KEY.public, compromised=Compromise(at, log_index))]


def resigned(signer: LocalKey, **members: object) -> bytes:
    return canonical.encode(credential.sign(unsigned() | members, signer, ISSUED))


def in_bundle(**members: object) -> bytes:
    return json.dumps(json.loads(BUNDLE) | members).encode()


def accepted(made: bytes) -> bool:
    return verify(made, KEYS).reason == VALID


def flipped(whole: str, step: int, letters: str) -> list[bytes]:
    """The text with one character changed, at each `step`th place."""
    return [
        (whole[:at] + letter + whole[at + 1 :]).encode()
        for at in range(0, len(whole), step)
        for letter in letters
        if whole[at] != letter
    ]


class TestVerify:
    @pytest.mark.parametrize(
        "made",
        [
            text(),
            TOKEN,
            BUNDLE,
            json.dumps(signed(), indent=4).encode(),
            b"\xef\xbb\xbf" + text(),
            TOKEN + b"\n",
        ],
        ids=["receipt", "JWS", "bundle", "indented", "byte order mark", "line feed"],
    )
    def test_finds_a_receipt_valid_in_each_of_its_forms(self, made):
        verdict = verify(made, KEYS)

        assert (verdict.reason, verdict.unaltered, verdict.issued, verdict.key) == (
            VALID,
            True,
            True,
            KEY.public,
        )
        assert verdict.receipt["credentialSubject"] == unsigned()["credentialSubject"]

    def test_does_not_answer_what_it_was_not_asked(self):
        verdict = verify(text(), KEYS)

        assert (verdict.logged, verdict.current, verdict.log_index, verdict.customer) == (
            None,
            None,
            None,
            None,
        )

    def test_answers_all_four_questions_of_a_bundle(self):
        verdict = verify(BUNDLE, KEYS, log=LOG, standing=Standing.CURRENT)

        assert (verdict.unaltered, verdict.issued, verdict.logged, verdict.current) == (
            True,
            True,
            True,
            True,
        )
        assert (verdict.log_index, verdict.customer, verdict.reason) == (INDEX, NAME, VALID)

    def test_takes_the_proof_from_beside_the_receipt(self):
        assert verify(text(), KEYS, log=LOG, proof=PROOF).logged is True

    @pytest.mark.parametrize(
        ("made", "reason"),
        [
            (b"", "not_json"),
            (b"%PDF-1.7", "not_json"),
            (b"e30.e30.e30", "bad_signature"),
            (text().replace(b'{"@context"', b'{"id":"urn:uuid:other","@context"'), "duplicate_key"),
            (text().replace(b'"retiredMg"', b'"retiredMg":"9","retiredMg"'), "duplicate_key"),
            (b'{"receipt":1,"receipt":2}', "duplicate_key"),
            (b"[]", "profile"),
            (b"7", "profile"),
            (b"{}", "profile"),
            (b'{"receipt":[]}', "profile"),
            (in_bundle(tlogProof=7), "profile"),
            (in_bundle(customer=[]), "profile"),
            (in_bundle(customer={"name": "\ud800", "salt": SALT.hex()}), "profile"),
            (changed(surprise=None), "profile"),
            (changed(type=["VerifiableCredential"]), "profile"),
            (text().replace(b'"7000000"', b"7000000"), "profile"),
            (resigned(STRANGER), "unknown_key"),
            (jws.sign(unsigned(), STRANGER).encode(), "unknown_key"),
            (changed(proof=signed()["proof"] | {"verificationMethod": f"{ISSUER}#2025-01-a"}), "unknown_key"),
            (changed(issuer="did:web:stranger.example"), "wrong_issuer"),
            (resigned(KEY, issuer="did:web:stranger.example"), "wrong_issuer"),
            (changed(validFrom="2026-11-04T00:00:00Z"), "bad_signature"),
            (changed(proof=signed()["proof"] | {"verificationMethod": OTHER_KEY.public.id}), "bad_signature"),
            (json.dumps(unsigned()).encode(), "bad_signature"),
            (TOKEN[:-2] + b"AA", "bad_signature"),
            (in_bundle(customer={"name": "Another Ltd", "salt": SALT.hex()}), "bad_proof"),
            (in_bundle(customer={"name": NAME, "salt": "00"}), "bad_proof"),
            (in_bundle(customer={}), "bad_proof"),
        ],
    )
    def test_says_in_one_word_what_is_wrong(self, made, reason):
        verdict = verify(made, KEYS)

        assert verdict.reason == reason
        assert verdict.customer is None

    def test_takes_no_status_list_for_a_receipt(self):
        made = status_list.credential(f"{ISSUER}/status/1", ISSUER, ISSUED, status_list.empty())
        listed = canonical.encode(credential.sign(made, KEY, ISSUED))

        assert verify(listed, KEYS).reason == "profile"

    def test_shows_nothing_of_what_it_does_not_believe(self):
        assert verify(changed(validFrom="2026-11-04T00:00:00Z"), KEYS).receipt is None

    @pytest.mark.parametrize(
        ("standing", "reason"),
        [
            (Standing.CURRENT, VALID),
            (Standing.SUPERSEDED, "superseded"),
            (Standing.WITHDRAWN, "withdrawn"),
            (Standing.UNKNOWN, "unknown_here"),
        ],
    )
    def test_tells_the_signature_from_what_became_of_the_receipt(self, standing, reason):
        verdict = verify(text(), KEYS, standing=standing)

        assert (verdict.reason, verdict.unaltered, verdict.issued) == (reason, True, True)
        assert verdict.current is (reason == VALID)

    def test_has_a_class_for_each_word_of_the_contract(self):
        words = """valid not_json duplicate_key profile unknown_key wrong_issuer bad_signature key_compromised not_in_log
            bad_proof superseded withdrawn unknown_here"""

        assert {VALID, *(refusal.reason() for refusal in Refusal.__subclasses__())} == set(words.split())


class TestLog:
    @pytest.mark.parametrize(
        ("made", "proof", "reason"),
        [
            (text(), None, "not_in_log"),
            (TOKEN, PROOF, "not_in_log"),
            (text(), "", "not_in_log"),
            (text(), "no proof", "bad_proof"),
            (in_bundle(tlogProof="no proof"), None, "bad_proof"),
            (resigned(OTHER_KEY), PROOF, "bad_proof"),
            (text(), proof(document.leaf(signed()), signer=KEY), "bad_proof"),
            (text(), proof(document.leaf(signed()), name="other.example/log"), "bad_proof"),
        ],
    )
    def test_must_have_the_receipt_where_it_is_asked(self, made, proof, reason):
        verdict = verify(made, KEYS, log=LOG, proof=proof)

        assert (verdict.reason, verdict.logged, verdict.log_index) == (reason, False, None)
        assert (verdict.unaltered, verdict.issued) == (True, True)

    def test_holds_the_slices_too(self):
        leaf = json.loads(document.leaf(signed()))
        leaf["allocations"][0]["lengthMg"] = "6999999"

        assert verify(text(), KEYS, log=LOG, proof=proof(canonical.encode(leaf))).reason == "bad_proof"


class TestCompromisedKey:
    def test_still_counts_for_what_the_log_had_before(self):
        assert verify(BUNDLE, lost(log_index=INDEX + 1), log=LOG).reason == VALID

    @pytest.mark.parametrize(
        ("made", "log", "log_index"),
        [(BUNDLE, LOG, INDEX), (BUNDLE, None, INDEX + 1), (text(), LOG, INDEX + 1), (TOKEN, LOG, INDEX + 1)],
        ids=["logged later", "log not asked", "no proof", "JWS"],
    )
    def test_counts_for_nothing_else(self, made, log, log_index):
        verdict = verify(made, lost(log_index), log=log)

        assert (verdict.reason, verdict.unaltered, verdict.issued) == ("key_compromised", True, False)


class TestSingleCharacter:
    def test_of_a_receipt_cannot_be_changed(self):
        assert [made for made in flipped(text().decode(), 7, "0") if accepted(made)] == []

    def test_of_a_token_cannot_be_changed(self):
        assert [made for made in flipped(TOKEN.decode(), 11, "0") if accepted(made)] == []

    def test_is_all_that_makes_them_refused(self):
        assert accepted(text())
        assert accepted(TOKEN)

    @pytest.mark.proof
    @pytest.mark.parametrize("letter", REPLACEMENTS)
    def test_of_a_receipt_cannot_be_changed_anywhere(self, letter):
        assert [made for made in flipped(text().decode(), 1, letter) if accepted(made)] == []

    @pytest.mark.proof
    @pytest.mark.parametrize("letter", REPLACEMENTS)
    def test_of_a_token_cannot_be_changed_anywhere(self, letter):
        assert [made for made in flipped(TOKEN.decode(), 1, letter) if accepted(made)] == []
