import base64
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbon_site import merkle
from tests.receipts.examples import VECTORS, tree

CASES = VECTORS / "merkle"
LARGEST = 130
LEAVES = [b"leaf %d" % index for index in range(LARGEST)]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
NODE = tree(HASHES)
ROOTS = [merkle.root(size, NODE) for size in range(LARGEST + 1)]

SIZES = st.integers(1, LARGEST)


def cases(kind):
    return [json.loads(path.read_text()) for path in sorted((CASES / kind).rglob("*.json"))]


def proof_of(case):
    return [base64.b64decode(sibling) for sibling in case["proof"] or []]


def as_the_rfc_says(leaves):
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return merkle.EMPTY
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0])
    k = max(1 << power for power in range(8) if 1 << power < len(leaves))
    return merkle.node_hash(as_the_rfc_says(leaves[:k]), as_the_rfc_says(leaves[k:]))


def is_included(index, size):
    proof = merkle.inclusion_proof(index, size, NODE)
    return merkle.includes(ROOTS[size], size, index, HASHES[index], proof)


def is_extended(old, new):
    return merkle.extends(ROOTS[old], old, ROOTS[new], new, merkle.consistency_proof(old, new, NODE))


def spoiled(proof):
    """Every way to change a proof a little."""
    for index in range(len(proof)):
        yield [*proof[:index], bytes([proof[index][0] ^ 1]) + proof[index][1:], *proof[index + 1 :]]
        yield [*proof[:index], *proof[index + 1 :]]
        yield [*proof[:index], proof[index], *proof[index:]]
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]


class TestPeaks:
    @pytest.mark.parametrize("size", range(LARGEST))
    def test_are_all_that_one_more_leaf_needs(self, size):
        known = {place: NODE(*place) for place in merkle.peaks(size)}

        grown = merkle.grown(size, HASHES[size], lambda *place: known[place])
        known |= {(level, index): digest for level, index, digest in grown}

        assert merkle.root(size + 1, lambda *place: known[place]) == ROOTS[size + 1]


class TestRoot:
    @pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7, 8, 9, 64, 65, LARGEST])
    def test_is_what_the_rfc_says(self, size):
        expected = as_the_rfc_says(LEAVES[:size])

        assert (merkle.root_of(LEAVES[:size]), ROOTS[size]) == (expected, expected)

    def test_is_that_of_the_list_behind_the_examples_of_others(self):
        leaves = (
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        )

        root = base64.b64encode(merkle.root_of(map(bytes.fromhex, leaves))).decode()

        assert {case["root"] for case in cases("inclusion") if case["treeSize"] == 8} == {root}

    def test_of_nothing_is_the_hash_of_nothing(self):
        assert merkle.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=4), max_size=40))
    def test_is_the_same_in_one_pass(self, leaves):
        assert merkle.root_of(iter(leaves)) == as_the_rfc_says(leaves)

    def test_tells_a_leaf_from_a_node(self):
        assert merkle.root_of(LEAVES[:2]) != merkle.root_of([HASHES[0] + HASHES[1]])


class TestGrown:
    def test_makes_each_complete_subtree_once(self):
        made = [
            (level, index)
            for size in range(LARGEST)
            for level, index, _ in merkle.grown(size, HASHES[size], NODE)
        ]

        assert sorted(made) == [(level, index) for level in range(8) for index in range(LARGEST >> level)]


class TestInclusion:
    @pytest.mark.parametrize(
        "case", cases("inclusion"), ids=lambda case: f"{case['leafIdx']} of {case['treeSize']}"
    )
    def test_holds_for_the_examples_of_others(self, case):
        root, leaf = base64.b64decode(case["root"]), base64.b64decode(case["leafHash"])

        assert merkle.includes(root, case["treeSize"], case["leafIdx"], leaf, proof_of(case))
        assert not merkle.includes(root, case["treeSize"] + 1, case["leafIdx"], merkle.EMPTY, proof_of(case))

    @settings(deadline=None, max_examples=200)
    @given(st.data())
    def test_holds_for_each_leaf_of_each_tree(self, data):
        size = data.draw(SIZES)

        assert is_included(data.draw(st.integers(0, size - 1)), size)

    @pytest.mark.proof
    def test_holds_for_all_leaves_of_all_trees(self):
        assert all(is_included(index, size) for size in range(LARGEST + 1) for index in range(size))

    @settings(deadline=None)
    @given(st.data())
    def test_fails_for_any_other_leaf_place_size_or_proof(self, data):
        size = data.draw(SIZES)
        index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, LARGEST - 1))
        proof = merkle.inclusion_proof(index, size, NODE)

        assert not merkle.includes(ROOTS[size], size, index, merkle.leaf_hash(b"other"), proof)
        assert other == index or not merkle.includes(ROOTS[size], size, other, HASHES[index], proof)
        assert not any(
            merkle.includes(ROOTS[size], size, index, HASHES[index], bad) for bad in spoiled(proof)
        )

    @pytest.mark.parametrize(("index", "size"), [(0, 0), (7, 7), (-1, 7)])
    def test_is_refused_outside_of_the_tree(self, index, size):
        assert not merkle.includes(ROOTS[size], size, index, HASHES[index], [])
        with pytest.raises(ValueError, match="there is no leaf"):
            merkle.inclusion_proof(index, size, NODE)

    def test_fails_for_a_size_that_is_not_the_tree_s(self):
        assert not merkle.includes(ROOTS[1], 2, 0, HASHES[0], [])
        assert not merkle.includes(ROOTS[2], 1, 0, HASHES[1], [HASHES[0]])


class TestConsistency:
    @pytest.mark.parametrize(
        "case", cases("consistency"), ids=lambda case: f"{case['size1']} to {case['size2']}"
    )
    def test_holds_for_the_examples_of_others(self, case):
        old, new = base64.b64decode(case["root1"]), base64.b64decode(case["root2"])

        assert merkle.extends(old, case["size1"], new, case["size2"], proof_of(case))
        assert not merkle.extends(merkle.EMPTY, case["size1"], new, case["size2"], proof_of(case))

    @settings(deadline=None, max_examples=200)
    @given(st.tuples(st.integers(0, LARGEST), st.integers(0, LARGEST)).map(sorted))
    def test_holds_for_each_pair_of_sizes(self, sizes):
        assert is_extended(*sizes)

    @pytest.mark.proof
    def test_holds_for_all_pairs_of_sizes(self):
        assert all(is_extended(old, new) for new in range(LARGEST + 1) for old in range(new + 1))

    @settings(deadline=None)
    @given(st.lists(SIZES, min_size=2, max_size=2, unique=True).map(sorted))
    def test_fails_for_any_other_root_or_proof(self, sizes):
        old, new = sizes
        proof = merkle.consistency_proof(old, new, NODE)

        assert not merkle.extends(merkle.EMPTY, old, ROOTS[new], new, proof)
        assert not merkle.extends(ROOTS[old], old, merkle.EMPTY, new, proof)
        assert not any(merkle.extends(ROOTS[old], old, ROOTS[new], new, bad) for bad in spoiled(proof))

    @pytest.mark.parametrize(
        ("old", "new", "proof"),
        [(7, 5, []), (5, 5, [bytes(32)]), (0, 5, [bytes(32)]), (5, 7, []), (4, 7, [])],
    )
    def test_is_refused_where_there_can_be_none(self, old, new, proof):
        assert not merkle.extends(ROOTS[old], old, ROOTS[new], new, proof)

    def test_fails_for_a_size_that_is_not_the_tree_s(self):
        assert not merkle.extends(ROOTS[1], 1, ROOTS[2], 3, [HASHES[1]])

    def test_is_not_made_of_a_tree_that_shrank(self):
        with pytest.raises(ValueError, match="does not begin"):
            merkle.consistency_proof(7, 5, NODE)

    def test_finds_that_an_old_leaf_was_changed(self):
        forged = tree([merkle.leaf_hash(b"forged"), *HASHES[1:]])

        assert not any(
            merkle.extends(
                ROOTS[old], old, merkle.root(new, forged), new, merkle.consistency_proof(old, new, forged)
            )
            for old, new in pairwise(range(1, 20))
        )
