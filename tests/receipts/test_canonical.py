import json
from functools import partial
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receipts import canonical
from receipts.refusals import DuplicateKey, NotJson, Profile
from tests.receipts.examples import VECTORS

RFC8785 = VECTORS / "rfc8785"

NAMES = st.text("abXY01", max_size=6).map(lambda rest: "@" + rest)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).map(partial(normalize, "NFC"))
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(0, canonical.MOST),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


def refuses(document: Any) -> str:
    try:
        canonical.check(document)
    except Profile as refusal:
        return refusal.detail
    return ""


class TestEncode:
    @pytest.mark.parametrize("path", sorted((RFC8785 / "input").iterdir()), ids=lambda path: path.stem)
    def test_writes_the_examples_of_rfc_8785_byte_for_byte(self, path):
        expected = bytes.fromhex((RFC8785 / "outhex" / f"{path.stem}.txt").read_text())

        assert canonical.encode(json.loads(path.read_bytes())) == expected

    @settings(deadline=None)
    @given(DOCUMENTS)
    def test_is_what_anyone_writes_of_our_narrow_json(self, document):
        plain = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

        assert canonical.encode(document) == plain.encode()


class TestRead:
    @settings(deadline=None)
    @given(DOCUMENTS)
    def test_gives_back_what_was_written(self, document):
        canonical.check(document)

        assert canonical.read(canonical.encode(document)) == document

    def test_takes_a_byte_order_mark(self):
        assert canonical.read(b'\xef\xbb\xbf{"a":"b"}') == {"a": "b"}

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"{",
            b"{'a': 1}",
            b'{"a": 1,}',
            b'{"a": NaN}',
            b"[Infinity]",
            b'{"a": "\xff"}',
            b'{"a":01}',
            b"{} {}",
        ],
    )
    def test_refuses_what_is_not_json(self, text):
        with pytest.raises(NotJson):
            canonical.read(text)

    @pytest.mark.parametrize(
        "text",
        [b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'[{"b":{"c":1,"d":2,"c":3}}]'],
    )
    def test_refuses_a_member_that_stands_twice(self, text):
        with pytest.raises(DuplicateKey):
            canonical.read(text)

    def test_refuses_what_is_too_long_before_it_reads(self):
        with pytest.raises(Profile, match="longer than"):
            canonical.read(b" " * (canonical.LONGEST + 1))

    def test_refuses_what_is_too_deep_for_any_reader(self):
        with pytest.raises(Profile, match="levels deep"):
            canonical.read(b"[" * 100_000)


class TestCheck:
    @pytest.mark.parametrize(
        ("text", "refusal"),
        [
            ('{"b":null}', "b is neither a text, nor true or false, nor a whole number from 0 to 2^53 - 1."),
            ('{"b":[1,1.5]}', "b[1] is neither a text, nor true"),
            ('{"b":1e3}', "b is neither"),
            ('{"b":-1}', "b is neither"),
            ('{"b":-0}', "b is neither"),
            ('{"b":9007199254740992}', "b is neither"),
            ('{"b":123456789012345678901234567890}', "b is neither"),
            ('{"b":{"retiredMg":7}}', "b.retiredMg is not a whole number written as a text."),
            ('{"retiredMg":"07"}', "retiredMg is not a whole number"),
            ('{"retiredMg":"-7"}', "retiredMg is not a whole number"),
            ('{"lowUg":"1.5"}', "lowUg is not a whole number"),
            ('{"lowUg":"٣"}', "lowUg is not a whole number"),
            ('{"itUwh":"12345678901234567890"}', "itUwh is not a whole number"),
            ('{"lowUg":["1","x"]}', "lowUg[1] is not a whole number"),
            ('{"lowUg":true}', "lowUg is not a whole number"),
            ('{"validFrom":"2026-11-01"}', "validFrom is not a moment of UTC such as 2026-11-01T00:00:00Z."),
            ('{"start":"2026-02-30T00:00:00Z"}', "start is not a moment"),
            ('{"end":"2026-11-01T00:00:00.5Z"}', "end is not a moment"),
            ('{"created":"2026-11-01T00:00:00+00:00"}', "created is not a moment"),
            ('{"b":"a\\u0000"}', "b has a control character or half a character in it."),
            ('{"b":"a\\n"}', "b has a control character"),
            ('{"b":"\\u007f"}', "b has a control character"),
            ('{"b":"\\u0085"}', "b has a control character"),
            ('{"b":"\\ud800"}', "b has a control character or half a character"),
            ('{"b":"e\\u0301"}', "b is not in Unicode's form NFC."),
            ('{"é":1}', "The document has a member '\\xe9', and names are made of letters and digits."),
            ('{"b":{"c_d":1}}', "b has a member 'c_d'"),
            ('{"":1}', "The document has a member ''"),
            ("[]", "The document is not an object."),
        ],
    )
    def test_says_where_and_why(self, text, refusal):
        assert refuses(canonical.read(text.encode())).startswith(refusal)

    @pytest.mark.parametrize("deepest", [{}, []])
    def test_refuses_the_ninth_level(self, deepest):
        eighth: Any = deepest
        for _ in range(7):
            eighth = {"a": eighth}

        assert refuses(eighth) == ""
        assert refuses({"a": eighth}) == "a.a.a.a.a.a.a.a is more than 8 levels deep."

    def test_measures_the_canonical_form(self):
        largest = {"a": "é" * (canonical.LARGEST // 2 - 4)}

        assert len(canonical.encode(largest)) == canonical.LARGEST
        assert refuses(largest) == ""
        assert refuses(largest | {"b": ""}) == "The document is larger than 65536 bytes."
