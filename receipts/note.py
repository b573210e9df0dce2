"""The texts of the log, as C2SP describes them: signed notes, checkpoints (tlog-checkpoint), and proofs (tlog-proof).

A note may carry signatures of others, witnesses say, or of kinds that do not exist yet; those are left alone.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from carbon_site.merkle import includes, leaf_hash
from receipts.keys import PublicKey, Signer
from receipts.refusals import BadProof

ED25519 = b"\1"
KEY_NAME = re.compile(r"[^\s+\x00-\x1f]+")
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
UNWRITABLE = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
SIGNATURE = re.compile(r"— (\S+) (\S+)")
PROOF = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class LogKey:
    """Whose notes count: a key name, which for a log is its origin, and an Ed25519 key."""

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        """The verifier key, as the programs of others are told of it."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.raw).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError unless this is the verifier key of an Ed25519 key."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = base64.b64decode(encoded, validate=True)
        key = cls(name, raw[1:])
        if raw[:1] != ED25519 or len(raw) != 33 or key_id != key.key_id.hex() or not KEY_NAME.fullmatch(name):
            raise ValueError("this is not the verifier key of an Ed25519 key")
        return key


def origin(base_url: str) -> str:
    """The name of the log of a site: its address without the scheme."""
    return base_url.partition("://")[2].rstrip("/") + "/log"


def sign(text: str, name: str, signer: Signer) -> str:
    """A text that ends with a line feed, as a note with one signature."""
    key = LogKey(name, signer.public.raw)
    signature = base64.b64encode(key.key_id + signer.sign(text.encode())).decode()
    note = f"{text}\n— {name} {signature}\n"
    read(note, key)
    return note


def read(note: str, key: LogKey) -> str:
    """The text of a note, once this key's signature under it is proven. Raises BadProof."""
    text, divider, signatures = note.rpartition("\n\n")
    text += "\n"
    if not divider or not signatures.endswith("\n") or UNWRITABLE.search(note):
        raise BadProof("It is not a signed note.")
    found = [_signature(line) for line in signatures[:-1].split("\n")]
    ours = [signed[4:] for name, signed in found if name == key.name and signed[:4] == key.key_id]
    if not ours:
        raise BadProof(f"The note has no signature of {key.name}.")
    if not all(PublicKey("", "", key.raw).verifies(signature, text.encode()) for signature in ours):
        raise BadProof(f"The note is not what {key.name} signed.")
    return text


def _signature(line: str) -> tuple[str, bytes]:
    match = SIGNATURE.fullmatch(line)
    if not match:
        raise BadProof("The note has a line that is no signature.")
    return match[1], _bytes(match[2])


@dataclass(frozen=True)
class Checkpoint:
    """What the log was at one size."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadProof. Lines after the third say things to others."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines) or not NUMBER.fullmatch(lines[1]):
            raise BadProof("It is not the checkpoint of a log.")
        return cls(lines[0], int(lines[1]), _hash(lines[2]))

    @classmethod
    def read(cls, note: str, log: LogKey) -> Self:
        """A signed checkpoint of this log. Raises BadProof."""
        checkpoint = cls.parse(read(note, log))
        if checkpoint.origin != log.name:
            raise BadProof(f"The checkpoint is of the log {checkpoint.origin}, not of {log.name}.")
        return checkpoint


@dataclass(frozen=True)
class Inclusion:
    """That a leaf stands at an index of a log: the way up to the root of a signed checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        hashes = [base64.b64encode(sibling).decode() for sibling in self.hashes]
        return "\n".join([PROOF, f"index {self.index}", *hashes, "", self.checkpoint])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadProof. The line `extra`, if there is one, is signed by nobody and is not looked at."""
        head, divider, checkpoint = text.partition("\n\n")
        title, *lines = head.split("\n")
        if lines and lines[0].startswith("extra "):
            del lines[0]
        word, _, index = lines[0].partition(" ") if lines else ("", "", "")
        if title != PROOF or not divider or word != "index" or not NUMBER.fullmatch(index):
            raise BadProof(f"It is not a proof of the form {PROOF}.")
        return cls(int(index), tuple(_hash(line) for line in lines[1:]), checkpoint)

    def check(self, leaf: bytes, log: LogKey) -> Checkpoint:
        """The checkpoint in which the log has this leaf at `index`. Raises BadProof."""
        checkpoint = Checkpoint.read(self.checkpoint, log)
        if not includes(checkpoint.root, checkpoint.size, self.index, leaf_hash(leaf), self.hashes):
            raise BadProof(f"The log {log.name} does not have it at {self.index}.")
        return checkpoint


def _hash(text: str) -> bytes:
    raw = _bytes(text)
    if len(raw) != 32:
        raise BadProof("It has a hash that is not 32 bytes long.")
    return raw


def _bytes(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadProof("It has something in it that is not base64.") from error
    if base64.b64encode(raw).decode() != text:  # there are several ways to write the last letter
        raise BadProof("It has something in it that is not base64 as it is written.")
    return raw
