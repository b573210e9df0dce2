import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receipts import note
from receipts.keys import LocalKey
from receipts.note import Checkpoint, Inclusion, LogKey
from receipts.refusals import BadProof
from tests.receipts.examples import KEY, LOG, LOG_SIGNER, OTHER_KEY, proof

# From the documentation of golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn"
    "NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

WITNESS = "— witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
NOTE = note.sign("a text\nof two lines\n", LOG.name, LOG_SIGNER)
LEAF = b"the leaf"
PROOF = proof(LEAF)

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.just("\n"), max_size=60).map(
    lambda text: text + "\n"
)


class TestLogKey:
    def test_is_written_as_go_writes_it(self):
        assert str(LogKey.parse(GO_KEY)) == GO_KEY

    def test_is_read_back(self):
        assert LogKey.parse(str(LOG)) == LOG

    @pytest.mark.parametrize(
        "text",
        [
            "",
            GO_KEY.replace("Peter", "Pieter"),
            GO_KEY.replace("c74f", "c74e"),
            GO_KEY.replace("+ARpc", "+BBpc"),
            GO_KEY[:-4],
            GO_KEY.replace("PeterNeumann", "Peter Neumann"),
        ],
    )
    def test_is_refused_where_it_contradicts_itself(self, text):
        with pytest.raises(ValueError):
            LogKey.parse(text)

    def test_is_named_for_the_address_of_the_log(self):
        assert note.origin("http://localhost:8000") == note.origin("http://localhost:8000/") == LOG.name


class TestNote:
    def test_is_signed_as_go_signs_it(self):
        assert note.sign(GO_TEXT, "PeterNeumann", LocalKey.from_seed("", "", GO_SEED)) == GO_NOTE

    def test_is_read_as_go_reads_it(self):
        assert note.read(GO_NOTE, LogKey.parse(GO_KEY)) == GO_TEXT

    @settings(deadline=None)
    @given(TEXTS)
    def test_comes_back(self, text):
        assert note.read(note.sign(text, LOG.name, LOG_SIGNER), LOG) == text

    @pytest.mark.parametrize("signed", [NOTE + WITNESS, NOTE.replace("\n\n", f"\n\n{WITNESS}")])
    def test_leaves_signatures_of_others_alone(self, signed):
        assert note.read(signed, LOG) == "a text\nof two lines\n"

    @pytest.mark.parametrize("others", [LOG_SIGNER.public.raw, OTHER_KEY.public.raw])
    def test_ignores_a_key_of_the_same_name_or_the_same_bytes_alone(self, others):
        key = LogKey(LOG.name if others != LOG.raw else "other.example/log", others)

        with pytest.raises(BadProof, match="no signature of"):
            note.read(NOTE, key)

    def test_refuses_a_note_with_one_bad_signature_of_the_key(self):
        forged = base64.b64encode(LOG.key_id + bytes(64)).decode()

        with pytest.raises(BadProof, match="is not what"):
            note.read(f"{NOTE}— {LOG.name} {forged}\n", LOG)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\n\n",
            NOTE[:-1],
            NOTE.replace("\n\n", "\n"),
            NOTE.replace("—", "-"),
            NOTE.replace("a text", "a\ttext"),
            NOTE.replace("a text", "a \ud800"),
            NOTE + "\n",
            NOTE + "no signature\n",
            NOTE.replace(WITNESS[-5:], "") + "— witness.example not-base64\n",
        ],
    )
    def test_is_refused_where_it_is_none(self, text):
        with pytest.raises(BadProof):
            note.read(text, LOG)


class TestCheckpoint:
    def test_is_written_in_three_lines(self):
        text = str(Checkpoint("example.com/log", 7, bytes(32)))

        assert text == f"example.com/log\n7\n{'A' * 43}=\n"
        assert Checkpoint.parse(text) == Checkpoint("example.com/log", 7, bytes(32))

    def test_may_say_more_to_others(self):
        assert Checkpoint.parse(f"{Checkpoint('log', 0, bytes(32))}more\n").size == 0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "log\n7\n",
            "log\n07\nA\n",
            "log\n-7\nA\n",
            f"\n7\n{'A' * 43}=\n",
            f"log\n7\n{'A' * 43}=\n\nmore\n",
            "log\n7\nAAAA\n",
            f"log\n7\n{'A' * 43}=",
            f"log\n7\n{'A' * 42}B=\n",
        ],
    )
    def test_is_refused_where_it_is_none(self, text):
        with pytest.raises(BadProof):
            Checkpoint.parse(text)

    def test_is_refused_of_another_log(self):
        signed = note.sign(str(Checkpoint("other.example/log", 7, bytes(32))), LOG.name, LOG_SIGNER)

        with pytest.raises(BadProof, match=r"of the log other\.example/log, not of"):
            Checkpoint.read(signed, LOG)


class TestInclusion:
    def test_is_written_as_a_tlog_proof(self):
        lines = PROOF.split("\n")

        assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 3"]
        assert lines[5:8] == ["", LOG.name, "7"]
        assert lines[10].startswith(f"— {LOG.name} ")

    def test_comes_back(self):
        assert str(Inclusion.parse(PROOF)) == PROOF

    @pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (6, 7), (7, 8)])
    def test_leads_to_the_checkpoint(self, index, size):
        inclusion = Inclusion.parse(proof(LEAF, index, size))

        assert inclusion.check(LEAF, LOG).size == size

    def test_may_carry_what_nobody_signed(self):
        extra = PROOF.replace("\nindex", "\nextra AAAA\nindex")

        assert Inclusion.parse(extra).check(LEAF, LOG).size == 7

    def test_is_refused_for_another_leaf(self):
        with pytest.raises(BadProof, match="does not have it at 3"):
            Inclusion.parse(PROOF).check(b"another", LOG)

    @pytest.mark.parametrize("signer", [KEY, OTHER_KEY])
    def test_is_refused_from_another_log(self, signer):
        with pytest.raises(BadProof, match="no signature"):
            Inclusion.parse(proof(LEAF, signer=signer)).check(LEAF, LOG)

    @pytest.mark.parametrize("letter", "A \n")
    def test_is_refused_with_any_character_changed(self, letter):
        changed = [PROOF[:at] + letter + PROOF[at + 1 :] for at in range(len(PROOF)) if PROOF[at] != letter]

        assert [text for text in changed if holds(text)] == []

    @pytest.mark.parametrize(
        "text",
        ["", "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\n\n", PROOF.replace("index 3", "index 03")],
    )
    def test_is_refused_where_it_is_none(self, text):
        with pytest.raises(BadProof):
            Inclusion.parse(text)


def holds(text: str) -> bool:
    try:
        Inclusion.parse(text).check(LEAF, LOG)
    except BadProof:
        return False
    return True
