"""Which receipts are no longer current, as a W3C Bitstring Status List: a signed list of bits, one a receipt.

A receipt carries the address of its list and its place there, taken at random, from the day it is issued. Its bit is
set once it is withdrawn or superseded, and never cleared; which of the two it was, the log says.
"""

import base64
import gzip
import zlib
from datetime import datetime
from typing import Any

from receipts.canonical import instant
from receipts.credential import CONTEXT
from receipts.keys import base64url

SIZE = 131_072  # entries; the least that hides one among many
PURPOSE = "revocation"
TYPE = "BitstringStatusListCredential"


class StatusListUnreadable(ValueError):
    """A credential is not a status list, or not the one that was asked for."""


def empty() -> bytes:
    return bytes(SIZE // 8)


def is_set(bits: bytes, index: int) -> bool:
    return bool(_mask(index) & bits[index // 8])


def with_set(bits: bytes, index: int) -> bytes:
    changed, mask = bytearray(bits), _mask(index)
    changed[index // 8] |= mask
    return bytes(changed)


def _mask(index: int) -> int:
    """The first entry is the leftmost bit."""
    if not 0 <= index < SIZE:
        raise ValueError(f"a status list has no entry {index}")
    return 0x80 >> index % 8


def encode(bits: bytes) -> str:
    """Multibase: u, then base64url, of the compressed bits."""
    return "u" + base64url(gzip.compress(bits, mtime=0))


def decode(encoded: str) -> bytes:
    """Raises StatusListUnreadable. It never unpacks more than a list has."""
    if not encoded.startswith("u"):
        raise StatusListUnreadable("its list is not base64url")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        packed = base64.urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4))
        bits = unpack.decompress(packed, SIZE // 8 + 1)
    except (ValueError, zlib.error) as error:
        raise StatusListUnreadable("its list is not compressed base64url") from error
    if len(bits) != SIZE // 8:
        raise StatusListUnreadable(f"its list does not have {SIZE} entries")
    return bits


def entry(address: str, index: int) -> dict[str, Any]:
    """The `credentialStatus` of a receipt."""
    _mask(index)
    return {
        "type": "BitstringStatusListEntry",
        "statusPurpose": PURPOSE,
        "statusListIndex": str(index),
        "statusListCredential": address,
    }


def credential(address: str, issuer: str, issued_at: datetime, bits: bytes) -> dict[str, Any]:
    """The unsigned credential that is served at `address`."""
    return {
        "@context": [CONTEXT],
        "id": address,
        "type": ["VerifiableCredential", TYPE],
        "issuer": issuer,
        "validFrom": instant(issued_at),
        "credentialSubject": {
            "id": f"{address}#list",
            "type": "BitstringStatusList",
            "statusPurpose": PURPOSE,
            "encodedList": encode(bits),
        },
    }


def is_current(receipt: dict[str, Any], status_list: dict[str, Any]) -> bool:
    """Whether a list, whose own signature has been checked, still counts a receipt. Raises StatusListUnreadable."""
    said, subject = receipt["credentialStatus"], status_list["credentialSubject"]
    if TYPE not in status_list["type"] or subject["statusPurpose"] != PURPOSE:
        raise StatusListUnreadable("it is not a list of revocations")
    if status_list["id"] != said["statusListCredential"]:
        raise StatusListUnreadable("it is another list than the receipt's")
    return not is_set(decode(subject["encodedList"]), int(said["statusListIndex"]))
