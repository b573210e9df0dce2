"""A receipt as the document that is signed, as the leaf that the log holds of it, and as the bundle that is handed out."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from receipts import canonical, credential, status_list
from receipts.keys import issuer
from receipts.receipt import Receipt

TYPE = "CarbonReceipt"
SALT = 32  # bytes
SLICE = ("batchSha256", "offsetMg", "lengthMg")


def unsigned(receipt: Receipt, base_url: str) -> dict[str, Any]:
    """The document of a receipt that the site at `base_url` issues, without its proof."""
    if receipt.id.version != 4:
        raise ValueError("the id of a receipt is random, as others tell when and where it was made")
    document: dict[str, Any] = {
        "@context": [credential.CONTEXT, f"{base_url}/ns/carbon-receipt/v1"],
        "id": receipt.id.urn,
        "type": ["VerifiableCredential", TYPE],
        "issuer": issuer(base_url),
        "validFrom": canonical.instant(receipt.issued_at),
        "credentialStatus": status_list.entry(
            f"{base_url}/status/{receipt.status_list}", receipt.status_index
        ),
        "credentialSubject": member(receipt.subject),
    }
    if receipt.supersedes:
        document["supersedes"] = member(receipt.supersedes)
    return document


def member(value: Any) -> Any:
    """A value as it stands in the document: numbers are texts, and what is None is not there."""
    match value:
        case bool() | str():
            return value
        case int():
            return str(value)
        case datetime():
            return canonical.instant(value)
        case date():
            return value.isoformat()
        case UUID():
            return value.urn
        case tuple():
            return [member(entry) for entry in value]
        case _ if is_dataclass(value):
            named = {field.name: getattr(value, field.name) for field in fields(value)}
            return {_camel(name): member(part) for name, part in named.items() if part is not None}
    raise TypeError(f"a receipt has no place for {value!r}")


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def commitment(salt: bytes, name: str) -> str:
    """What stands for a customer's name: SHA-256 of a random salt and the name in NFC, in hexadecimal digits."""
    if len(salt) != SALT:
        raise ValueError(f"the salt of a commitment has {SALT} bytes")
    return hashlib.sha256(salt + unicodedata.normalize("NFC", name).encode()).hexdigest()


def leaf(signed: Mapping[str, Any]) -> bytes:
    """The leaf of a signed receipt: its hash, which nobody can guess, and the slices of batches that it uses up."""
    retirements = signed["credentialSubject"].get("credits", {}).get("retirements", [])
    slices = [{name: retirement[name] for name in SLICE} for retirement in retirements]
    return canonical.encode({"type": "receipt", "sha256": canonical.sha256(signed), "allocations": slices})


def bundle(signed: Mapping[str, Any], proof: str, salt: bytes, name: str) -> bytes:
    """The receipt, its proof from the log, and what opens the commitment: for the customer alone."""
    customer = {"name": unicodedata.normalize("NFC", name), "salt": salt.hex()}
    return json.dumps(
        {"receipt": signed, "tlogProof": proof, "customer": customer}, ensure_ascii=False, indent=1
    ).encode()
