"""W3C Verifiable Credentials with a Data Integrity proof, eddsa-jcs-2022.

What is signed is 64 bytes: the hash of the proof without its value, then the hash of the document without its proof.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from receipts import canonical
from receipts.keys import PublicKey, Signer
from receipts.multikey import from_multibase, to_multibase
from receipts.refusals import BadSignature

CONTEXT = "https://www.w3.org/ns/credentials/v2"
KIND = {"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "proofPurpose": "assertionMethod"}
# No others: there are verifiers that build the proof anew from just these.
MEMBERS = frozenset({*KIND, "@context", "created", "verificationMethod", "proofValue"})

Document = dict[str, Any]


def sign(document: Document, signer: Signer, created: datetime) -> Document:
    """The document with its proof, tried with two libraries before it is given out. Raises Profile or BadSignature."""
    canonical.check(document)
    proof = proof_options(document, signer.public, created)
    signature = signer.sign(signing_input(document, proof))
    signed = document | {"proof": proof | {"proofValue": to_multibase(signature)}}
    check_twice(signed, signer.public)
    return signed


def proof_options(document: Document, key: PublicKey, created: datetime) -> Document:
    return KIND | {
        "@context": document["@context"],
        "created": canonical.instant(created),
        "verificationMethod": key.id,
    }


def signing_input(document: Document, proof: Document) -> bytes:
    return b"".join(hashlib.sha256(canonical.encode(part)).digest() for part in _parts(document, proof))


def check(signed: Document, key: PublicKey) -> None:
    """Raises BadSignature unless the key has signed just this."""
    if not key.verifies(_signature(signed), signing_input(signed, signed["proof"])):
        raise BadSignature(f"It is not what {key.id} signed.")


def check_twice(signed: Document, key: PublicKey) -> None:
    """`check`, and again with another canonical form and another library, which share nothing with the first."""
    check(signed, key)
    parts = _parts(signed, signed["proof"])
    message = b"".join(hashlib.sha256(_plainly(part)).digest() for part in parts)
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(_signature(signed), message)
    except InvalidSignature as error:
        raise BadSignature(f"Two libraries do not agree on what {key.id} signed.") from error


def key_id(signed: Mapping[str, Any]) -> str:
    """The key that a document says it is signed by. Raises BadSignature where there is no proof of our kind."""
    proof = signed.get("proof")
    if not isinstance(proof, dict):
        raise BadSignature("It has no proof.")
    if proof.keys() != MEMBERS or not KIND.items() <= proof.items():
        raise BadSignature(f"Its proof is not just a {KIND['cryptosuite']} one.")
    if proof["@context"] != signed.get("@context"):
        raise BadSignature("Its proof is for another context.")
    return str(proof["verificationMethod"])


def _parts(document: Document, proof: Document) -> tuple[Document, Document]:
    return _without(proof, "proofValue"), _without(document, "proof")


def _without(document: Document, name: str) -> Document:
    return {member: value for member, value in document.items() if member != name}


def _signature(signed: Document) -> bytes:
    try:
        return from_multibase(str(signed["proof"]["proofValue"]))
    except ValueError as error:
        raise BadSignature("Its proof value is not base58.") from error


def _plainly(value: Document) -> bytes:
    # The same bytes as RFC 8785 for names in ASCII, no floats and no control characters.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
