"""The Merkle tree of RFC 6962 and RFC 9162: the root of a list, what stands in it, and that it has only grown.

A tree is known by the hashes of its complete subtrees: `node(level, index)` is that of the leaves from `index * 2**level`
on, `2**level` of them. They never change once they are there. Of no leaves the root is EMPTY.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

EMPTY = hashlib.sha256().digest()

Node = Callable[[int, int], bytes]
Place = tuple[int, int]  # level and index of a node


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A list that grows leaf by leaf, of which one hash a level is held."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Put a leaf with this hash behind the others."""
        level, right = 0, leaf
        while self._peaks and self._peaks[-1][0] == level:
            _, left = self._peaks.pop()
            level, right = level + 1, node_hash(left, right)
        self._peaks.append((level, right))

    @property
    def root(self) -> bytes:
        hashes = [peak for _, peak in reversed(self._peaks)]
        return reduce(lambda right, left: node_hash(left, right), hashes) if hashes else EMPTY


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root of a list, in one pass."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf_hash(leaf))
    return tree.root


def grown(size: int, leaf: bytes, node: Node) -> list[tuple[int, int, bytes]]:
    """The nodes that are complete once a leaf with this hash is put behind `size` others: (level, index, hash)."""
    nodes = [(0, size, leaf)]
    level, index, right = 0, size, leaf
    while index % 2:
        right = node_hash(node(level, index - 1), right)
        level, index = level + 1, index // 2
        nodes.append((level, index, right))
    return nodes


def peaks(size: int) -> list[Place]:
    """The largest complete subtrees, from the right: whatever is put behind `size` leaves needs no other nodes."""
    return [(level, (size >> level) - 1) for level in range(size.bit_length()) if size >> level & 1]


def root(size: int, node: Node) -> bytes:
    return _hash(0, size, node) if size else EMPTY


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The hashes that lead from a leaf to the root, RFC 9162 2.1.3.1."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            proof.append(_hash(middle, end, node))
            end = middle
        else:
            proof.append(_hash(start, middle, node))
            start = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """The hashes that show a tree of `old` leaves to be the beginning of one of `new`, RFC 9162 2.1.4.1."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not begin with one of {old}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    start, end = 0, new
    while end != old:
        middle = start + _left_size(end - start)
        if old <= middle:
            proof.append(_hash(middle, end, node))
            end = middle
        else:
            proof.append(_hash(start, middle, node))
            start = middle
    if start:
        proof.append(_hash(start, end, node))
    return proof[::-1]


def includes(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree has a leaf of this hash at this place, RFC 9162 2.1.3.2."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if not last:
            return False
        if at % 2 or at == last:
            found = node_hash(sibling, found)
            at, last = _to_right_turn(at, last)
        else:
            found = node_hash(found, sibling)
        at, last = at // 2, last // 2
    return not last and found == root


def extends(old_root: bytes, old: int, new_root: bytes, new: int, proof: Sequence[bytes]) -> bool:
    """Whether the tree of `new` leaves begins with the tree of `old`, RFC 9162 2.1.4.2."""
    if not 0 < old < new:
        same = old == new and old_root == new_root
        return not proof and (same or (old == 0 <= new and old_root == EMPTY))
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    at, last = old - 1, new - 1
    while at % 2:
        at, last = at // 2, last // 2
    found_old = found_new = path[0]
    for sibling in path[1:]:
        if not last:
            return False
        if at % 2 or at == last:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
            at, last = _to_right_turn(at, last)
        else:
            found_new = node_hash(found_new, sibling)
        at, last = at // 2, last // 2
    return not last and (found_old, found_new) == (old_root, new_root)


def _to_right_turn(at: int, last: int) -> tuple[int, int]:
    """Up to where the path comes from the right; levels in between have no sibling."""
    while at and not at % 2:
        at, last = at // 2, last // 2
    return at, last


def _left_size(size: int) -> int:
    """The largest power of two below `size`: so many leaves hang to the left of the root."""
    return 1 << (size - 1).bit_length() - 1


def _hash(start: int, end: int, node: Node) -> bytes:
    """The hash over the leaves from `start` to before `end`, of which `start` begins a complete subtree."""
    size = end - start
    if not size & (size - 1):
        level = size.bit_length() - 1
        return node(level, start >> level)
    middle = start + _left_size(size)
    return node_hash(_hash(start, middle, node), _hash(middle, end, node))
