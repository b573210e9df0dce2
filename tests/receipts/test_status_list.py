import base64
import gzip
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receipts import credential, status_list
from receipts.keys import base64url
from receipts.status_list import StatusListUnreadable
from tests.receipts.examples import ISSUED, ISSUER, KEY, unsigned

ADDRESS = "http://localhost:8000/status/1"
INDEX = 94_567


def made(*set_entries: int) -> dict:
    bits = status_list.empty()
    for index in set_entries:
        bits = status_list.with_set(bits, index)
    return status_list.credential(ADDRESS, ISSUER, ISSUED, bits)


def packed(length: int) -> str:
    """Without the time: it would be in the tests' names, by which workers know them."""
    return base64url(gzip.compress(bytes(length), mtime=0))


class TestBits:
    def test_begin_at_the_left(self):
        bits = status_list.with_set(status_list.with_set(status_list.empty(), 0), 10)

        assert bits[:3] == bytes([0b1000_0000, 0b0010_0000, 0])

    @settings(deadline=None)
    @given(st.sets(st.integers(0, status_list.SIZE - 1), max_size=8), st.integers(0, status_list.SIZE - 1))
    def test_are_set_one_by_one(self, indexes, other):
        bits = status_list.empty()
        for index in indexes:
            bits = status_list.with_set(bits, index)

        assert all(status_list.is_set(bits, index) for index in indexes)
        assert status_list.is_set(bits, other) == (other in indexes)

    @pytest.mark.parametrize("index", [-1, status_list.SIZE])
    def test_have_a_first_and_a_last(self, index):
        with pytest.raises(ValueError, match="has no entry"):
            status_list.is_set(status_list.empty(), index)


class TestEncode:
    def test_is_base64url_of_compressed_bits(self):
        encoded = status_list.encode(status_list.empty())

        assert encoded[0] == "u"
        assert "=" not in encoded
        assert gzip.decompress(base64.urlsafe_b64decode(encoded[1:] + "==")) == bytes(16_384)

    @pytest.mark.parametrize("bits", [status_list.empty(), b"\xff" * 16_384, os.urandom(16_384)])
    def test_comes_back(self, bits):
        assert status_list.decode(status_list.encode(bits)) == bits

    @pytest.mark.parametrize(
        "encoded",
        [
            "",
            "z" + packed(16_384),
            "u",
            "uAAAA",
            "u" + packed(16_383),
            "u" + packed(16_385),
            "u" + packed(50_000_000),
            "u" + packed(16_384)[:20],
            "uÄ",
        ],
    )
    def test_refuses_what_is_no_list(self, encoded):
        with pytest.raises(StatusListUnreadable):
            status_list.decode(encoded)


class TestCredential:
    def test_is_signed_like_a_receipt(self):
        signed = credential.sign(made(INDEX), KEY, ISSUED)

        credential.check_twice(signed, KEY.public)

    def test_has_the_address_that_receipts_name(self):
        assert made()["id"] == unsigned()["credentialStatus"]["statusListCredential"]


class TestIsCurrent:
    @pytest.mark.parametrize(
        ("entries", "is_current"), [((), True), ((INDEX - 1, INDEX + 1), True), ((INDEX,), False)]
    )
    def test_is_what_the_bit_says(self, entries, is_current):
        assert status_list.is_current(unsigned(), made(*entries)) is is_current

    @pytest.mark.parametrize(
        ("member", "value"),
        [("id", "http://localhost:8000/status/2"), ("type", ["VerifiableCredential"])],
    )
    def test_refuses_another_list(self, member, value):
        with pytest.raises(StatusListUnreadable):
            status_list.is_current(unsigned(), made() | {member: value})

    def test_refuses_a_list_of_something_else(self):
        suspensions = made()
        suspensions["credentialSubject"]["statusPurpose"] = "suspension"

        with pytest.raises(StatusListUnreadable):
            status_list.is_current(unsigned(), suspensions)
