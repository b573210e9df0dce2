import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receipts import multikey
from tests.receipts.examples import KEY, VECTORS

KEY_PAIR = json.loads((VECTORS / "vc-di-eddsa" / "keyPair.json").read_text())


class TestBase58:
    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            (b"", ""),
            (b"\0\0\0", "111"),
            (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
            (
                b"The quick brown fox jumps over the lazy dog.",
                "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
            ),
            (bytes.fromhex("0000287fb4cd"), "11233QC4"),
        ],
    )
    def test_is_as_others_write_it(self, raw, text):
        assert (multikey.to_base58(raw), multikey.from_base58(text)) == (text, raw)

    @settings(deadline=None)
    @given(st.binary(max_size=72))
    def test_comes_back(self, raw):
        assert multikey.from_base58(multikey.to_base58(raw)) == raw

    @settings(deadline=None)
    @given(st.text(multikey.ALPHABET, max_size=90))
    def test_has_one_spelling(self, text):
        assert multikey.to_base58(multikey.from_base58(text)) == text

    @pytest.mark.parametrize("text", ["0", "O", "I", "l", "a b", "é", "1" * 101])
    def test_refuses_anything_else(self, text):
        with pytest.raises(ValueError):
            multikey.from_base58(text)


class TestMultikey:
    def test_reads_and_writes_the_key_of_the_w3c(self):
        text = KEY_PAIR["publicKeyMultibase"]

        assert multikey.to_multikey(multikey.from_multikey(text)) == text

    @pytest.mark.parametrize(
        "text",
        [
            KEY_PAIR["privateKeyMultibase"],
            multikey.to_multikey(KEY.public.raw + b"\0"),
            multikey.to_multibase(KEY.public.raw),
            multikey.to_multikey(KEY.public.raw)[1:],
            "",
        ],
    )
    def test_refuses_anything_else(self, text):
        with pytest.raises(ValueError):
            multikey.from_multikey(text)
