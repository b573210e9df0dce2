"""Public keys as they are published, for the tools of others: a DID document, a JWK set, PEM. All made from one list."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from receipts.canonical import instant, read
from receipts.keys import Compromise, PublicKey, base64url
from receipts.multikey import from_multikey, to_multikey

CONTEXT = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"]


class KeysUnreadable(ValueError):
    """A file of public keys is not a DID document with Ed25519 Multikeys in it."""


def did_document(issuer: str, keys: Iterable[PublicKey]) -> dict[str, Any]:
    """All keys of an issuer. Others' tools take what stands in `assertionMethod`, and know nothing of dates."""
    own = [key for key in keys if key.issuer == issuer]
    return {
        "@context": CONTEXT,
        "id": issuer,
        "verificationMethod": [_method(key) for key in own],
        "assertionMethod": [key.id for key in own if not key.compromised],
    }


def _method(key: PublicKey) -> dict[str, Any]:
    method: dict[str, Any] = {
        "id": key.id,
        "type": "Multikey",
        "controller": key.issuer,
        "publicKeyMultibase": to_multikey(key.raw),
    }
    if key.compromised:
        method["revoked"] = instant(key.compromised.at)
        method["compromisedFromLogIndex"] = key.compromised.log_index
    return method


def read_did_document(text: bytes) -> list[PublicKey]:
    """The keys in a DID document that `did_document` made. Raises KeysUnreadable, NotJson or DuplicateKey."""
    document = read(text)
    try:
        methods, trusted = document["verificationMethod"], set(document["assertionMethod"])
        return [_key(document["id"], method, method["id"] in trusted) for method in methods]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KeysUnreadable(f"This is not a DID document with Ed25519 keys: {error}.") from error


def _key(issuer: str, method: Mapping[str, Any], is_trusted: bool) -> PublicKey:
    owner, _, kid = method["id"].partition("#")
    if owner != issuer or method["controller"] != issuer:
        raise ValueError(f"{method['id']} is not a key of {issuer}")
    compromise = None
    if not is_trusted:
        compromise = Compromise(datetime.fromisoformat(method["revoked"]), method["compromisedFromLogIndex"])
    return PublicKey(issuer, kid, from_multikey(method["publicKeyMultibase"]), compromise)


def jwk_set(keys: Iterable[PublicKey]) -> dict[str, Any]:
    """RFC 8037, for a JWS. Without compromised keys, as a JWK has no dates; without `alg`, as its word is changing."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": key.id, "use": "sig", "x": base64url(key.raw)}
            for key in keys
            if not key.compromised
        ]
    }


def pem(key: PublicKey) -> str:
    public = Ed25519PublicKey.from_public_bytes(key.raw)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
