import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_site.merkle import Tree, leaf_hash, node_hash


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


class TestTree:
    @given(st.lists(st.binary(max_size=8), max_size=130))
    def test_is_that_of_the_definition(self, leaves):
        tree = Tree()
        for leaf in leaves:
            tree.append(leaf)

        assert (tree.root(), tree.size) == (by_definition(leaves), len(leaves))

    @pytest.mark.parametrize(
        ("size", "root"),
        [  # https://github.com/transparency-dev/merkle, Apache-2.0: the roots of its reference inputs
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ],
    )
    def test_meets_the_known_roots(self, size, root):
        inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        tree = Tree()
        for leaf in inputs[:size]:
            tree.append(bytes.fromhex(leaf))

        assert tree.root().hex() == root
