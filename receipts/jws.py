"""The same unsigned document as a compact JWS (RFC 7515, RFC 8037): its payload is the canonical bytes themselves."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import jwt

from receipts import canonical
from receipts.keys import PublicKey, Signer, base64url
from receipts.refusals import BadSignature, Profile

COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
KIND = {"alg": "EdDSA", "cty": "vc", "typ": "vc+jwt"}  # `Ed25519`, its newer word, has fewer readers yet


@dataclass(frozen=True)
class Token:
    """A JWS taken apart; nothing in it is proven before `check`."""

    key_id: str
    payload: dict[str, Any]
    signing_input: bytes
    signature: bytes

    def check(self, key: PublicKey) -> None:
        if not key.verifies(self.signature, self.signing_input):
            raise BadSignature(f"It is not what {key.id} signed.")


def sign(document: dict[str, Any], signer: Signer) -> str:
    """Tried with two libraries before it is given out. Raises Profile or BadSignature."""
    header, payload = canonical.encode(KIND | {"kid": signer.public.id}), canonical.check(document)
    signing_input = f"{base64url(header)}.{base64url(payload)}"
    token = f"{signing_input}.{base64url(signer.sign(signing_input.encode()))}"
    check_twice(token, signer.public)
    return token


def check_twice(token: str, key: PublicKey) -> None:
    """With our own reader and with PyJWT. Raises BadSignature."""
    read(token.encode()).check(key)
    try:
        jwt.PyJWS().decode(
            token, jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": base64url(key.raw)}).key, ["EdDSA"]
        )
    except jwt.InvalidTokenError as error:
        raise BadSignature(f"Two libraries do not agree on what {key.id} signed.") from error


def read(token: bytes) -> Token:
    """Raises NotJson, DuplicateKey, Profile, or BadSignature where it is not signed in our one way."""
    parts = [_decode(part) for part in token.split(b".")]
    header, payload = (canonical.read(part) for part in parts[:2])
    if not isinstance(header, dict) or header.keys() != {*KIND, "kid"} or not KIND.items() <= header.items():
        raise BadSignature(f"Its header is not one of {KIND['alg']} and {KIND['typ']}.")
    if canonical.check(payload) != parts[1]:
        raise Profile("Its payload is not in canonical form.")
    return Token(str(header["kid"]), payload, token.rpartition(b".")[0], parts[2])


def _decode(part: bytes) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error as error:
        raise BadSignature("A part of it is not base64url.") from error
    if base64url(raw).encode() != part:  # there are several ways to write the last letter
        raise BadSignature("A part of it is not base64url as it is written.")
    return raw
