"""What is in a pack: the ledger that was frozen, what its figures are made with, and what was signed for it.

The same period makes the same bytes on any day: the log is shown as it was when it took the receipt.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from tempfile import TemporaryFile
from typing import IO, Any

from audit.archive import Archive
from audit.manifest import manifest
from carbon_site import merkle
from carbon_site.transactions import transaction_required
from emissions import frozen
from receipts import canonical, log, published
from receipts.keys import PublicKey
from receipts.models import CarbonReceipt, SigningKey

HERE = files("audit")
LOCATES = 8  # hexadecimal digits of a leaf's hash: enough to say which line was changed
A_CHUNK = 1 << 16


class LedgerDiffers(RuntimeError):
    """The ledger as of the seal is not the one that the period was frozen with, so there is nothing to be packed."""


@transaction_required
def write(period: Any, file: IO[bytes]) -> None:
    """Write the pack of a closed period. Raises LedgerDiffers."""
    archive = Archive(file, period.frozen_at)
    archive.add("README.txt", [(HERE / "pack_readme.txt").read_bytes()])
    archive.add("manifest.json", [manifest(period)])
    if receipt := period.receipts.first():
        _add_evidence(archive, receipt)
    archive.add("factor_set.json", [period.factors.document.encode()])
    archive.add("recalculate.py", [(HERE / "recalculate.py").read_bytes()])
    with TemporaryFile() as leaves:
        archive.add("ledger.jsonl", _ledger(period, leaves))
        leaves.seek(0)
        archive.add("ledger.leaves", iter(lambda: leaves.read(A_CHUNK), b""))
    archive.close()


def _ledger(period: Any, leaves: IO[bytes]) -> Iterator[bytes]:
    """The frozen list, line by line; beside it the beginning of each leaf's hash, so that a changed line can be named."""
    tree = merkle.Tree()
    for line in frozen.lines(period.organization_id, period.span, period.sealed_at):
        leaf = merkle.leaf_hash(line)
        tree.add(leaf)
        leaves.write(leaf.hex()[:LOCATES].encode() + b"\n")
        yield line + b"\n"
    if tree.root != bytes(period.root):
        raise LedgerDiffers(f"{period.pk} was frozen with another root")


def _add_evidence(archive: Archive, receipt: CarbonReceipt) -> None:
    """The receipt as it was signed, its place in the log, and the keys of both."""
    archive.add("receipt.json", [receipt.document.encode()])
    archive.add("receipt.tlog-proof", [log.inclusion_when_appended(receipt.leaf_index).encode()])
    archive.add("keys.json", [canonical.encode(_keys(receipt))])
    archive.add("log-key.txt", [f"{log.log_key()}\n".encode()])


def _keys(receipt: CarbonReceipt) -> dict[str, Any]:
    """The DID document of the issuer, with the key that signed this receipt."""
    issuer, _, kid = json.loads(receipt.document)["proof"]["verificationMethod"].partition("#")
    row = SigningKey.objects.get(kid=kid)
    return published.did_document(issuer, [PublicKey(issuer, kid, bytes(row.raw))])
