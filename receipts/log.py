"""The transparency log in the database: leaves are appended, and each append ends with a signed checkpoint.

Whoever appends holds the head until the commit, so that the log has one order. Nothing in it is changed or deleted.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from django.conf import settings
from django.db.models import Q

from carbon_site import merkle
from carbon_site.transactions import transaction_required
from receipts import note
from receipts.models import LogHead, LogLeaf, LogNode
from receipts.signers import log_signer


@transaction_required
def open_log() -> LogHead:
    """Be the only one who appends, until the commit. A log that never was begins empty, with a signed checkpoint."""
    head, _ = LogHead.objects.select_for_update().get_or_create(
        pk=LogHead.ONLY, defaults={"size": 0, "root": merkle.EMPTY, "checkpoint": ""}
    )
    return head


@transaction_required
def append(head: LogHead, bodies: Sequence[bytes]) -> list[int]:
    """Put leaves behind the others, and sign what the log is then. Answers with their indices."""
    nodes = Nodes(merkle.peaks(head.size))  # all that an append needs
    made: list[LogNode] = []
    leaves = [LogLeaf(index=head.size + place, body=body) for place, body in enumerate(bodies)]
    for leaf in leaves:
        for level, index, digest in merkle.grown(leaf.index, merkle.leaf_hash(bytes(leaf.body)), nodes):
            nodes.known[level, index] = digest
            made.append(LogNode(level=level, index=index, digest=digest))
    LogLeaf.objects.bulk_create(leaves)
    LogNode.objects.bulk_create(made)
    head.size += len(leaves)
    head.root = merkle.root(head.size, nodes)
    head.checkpoint = _signed(head)
    head.save()
    return [leaf.index for leaf in leaves]


def inclusion(index: int) -> str:
    """The proof, as a text for the programs of others, that the log of today has a leaf."""
    head = LogHead.objects.get(pk=LogHead.ONLY)
    hashes = merkle.inclusion_proof(index, head.size, Nodes())
    return str(note.Inclusion(index, tuple(hashes), head.checkpoint))


def inclusion_when_appended(index: int) -> str:
    """The same of the log that ended with this leaf: its checkpoint is signed as it was then, so it never changes."""
    nodes, size = Nodes(), index + 1
    hashes = merkle.inclusion_proof(index, size, nodes)
    checkpoint = note.Checkpoint(origin(), size, merkle.root(size, nodes))
    signed = note.sign(str(checkpoint), origin(), log_signer())
    return str(note.Inclusion(index, tuple(hashes), signed))


class Nodes:
    """The hashes of complete subtrees: those in the database, and those that were just made.

    Those at `places` are read at once, any other when it is asked for.
    """

    def __init__(self, places: Iterable[merkle.Place] = ()) -> None:
        at_places = reduce(or_, (Q(level=level, index=index) for level, index in places), Q(pk=None))
        found = LogNode.objects.filter(at_places)
        self.known = {(node.level, node.index): bytes(node.digest) for node in found}

    def __call__(self, level: int, index: int) -> bytes:
        if (level, index) not in self.known:
            self.known[level, index] = bytes(LogNode.objects.get(level=level, index=index).digest)
        return self.known[level, index]


def origin() -> str:
    return note.origin(settings.PUBLIC_BASE_URL)


def log_key() -> note.LogKey:
    """By which anyone verifies the checkpoints."""
    return note.LogKey(origin(), log_signer().public.raw)


def _signed(head: LogHead) -> str:
    checkpoint = note.Checkpoint(origin(), head.size, bytes(head.root))
    return note.sign(str(checkpoint), origin(), log_signer())
