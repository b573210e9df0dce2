from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_site.ids import MalformedId, decode, encode, new_id, uuid7


class TestUuid7:
    def test_is_in_order_within_a_millisecond(self):
        made = [uuid7() for _ in range(2000)]

        # Ids of one 244-ns tick are in no order, so neighbours may be swapped; what is further apart is not.
        assert all(earlier.int >> 64 <= later.int >> 64 for earlier, later in pairwise(made))

    def test_says_what_it_is(self):
        made = uuid7()

        assert (made.version, made.variant) == (7, "specified in RFC 4122")


class TestWords:
    def test_follow_the_published_example_of_typeid(self):
        # https://github.com/jetify-com/typeid/blob/main/spec/valid.yml
        assert (
            encode("prefix", UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
            == "prefix_01h455vb4pex5vsknk084sn02q"
        )

    @given(st.uuids())
    def test_come_back(self, value):
        assert decode(encode("prj", value), "prj") == value

    @pytest.mark.parametrize(
        "word",
        ["", "prj", "prj_", "prj_01h455vb4pex5vsknk084sn02", "prj_81h455vb4pex5vsknk084sn02q", "org_01h455vb4pex5vsknk084sn02q",
         "prj_01H455VB4PEX5VSKNK084SN02Q", "prj_01h455vb4pex5vsknk084sn02u", "01890a5d-ac96-774b-bcce-b302099a8057"],
    )  # fmt: skip
    def test_of_another_form_are_refused(self, word):
        with pytest.raises(MalformedId):
            decode(word, "prj")

    def test_begin_with_their_kind(self):
        assert new_id("key").startswith("key_")
