"""The Merkle tree of RFC 6962, section 2.1: one hash that stands for a list, whatever its length, in its order."""

import hashlib


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf and keeps only the roots of its complete subtrees: 64 hashes at most."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # from the largest subtree to the smallest

    def append(self, leaf: bytes) -> None:
        self._peaks.append(leaf_hash(leaf))
        self.size += 1
        merges = (self.size & -self.size).bit_length() - 1  # as many as the size has trailing zeros
        for _ in range(merges):
            right, left = self._peaks.pop(), self._peaks.pop()
            self._peaks.append(node_hash(left, right))

    def root(self) -> bytes:
        """Of an empty list: SHA-256 of nothing."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        *others, root = self._peaks
        for left in reversed(others):
            root = node_hash(left, root)
        return root
