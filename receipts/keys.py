"""Ed25519 keys: who a public key belongs to and until when it counts, and private keys that only sign."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from urllib.parse import urlsplit

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from receipts import canonical

KID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
KNOWN_SEEDS = frozenset(  # public keys whose private half everyone can look up
    bytes.fromhex(public)
    for public in (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",  # RFC 8032, TEST 1; RFC 8037
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",  # RFC 8032, TEST 2
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",  # RFC 8032, TEST 3
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",  # RFC 8032, TEST 1024
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",  # RFC 8032, TEST SHA(abc)
        "b00d8d938e7f773d51565aad36a623f5344f7f5d1960f9cf3e8e12620ea2810f",  # W3C, eddsa-jcs-2022
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",  # a seed of zeros
    )
)


class KeyUnusable(ValueError):
    """A private key in the settings is not one to sign with. The message never shows it."""


@dataclass(frozen=True)
class Compromise:
    """When a key stopped being trusted, and the first leaf of the log that is not older than that."""

    at: datetime
    log_index: int


@dataclass(frozen=True)
class PublicKey:
    """A key and its owner. A key that was merely replaced stays as good as it was."""

    issuer: str
    kid: str
    raw: bytes
    compromised: Compromise | None = None

    @property
    def id(self) -> str:
        """How a signature names it: a DID URL."""
        return f"{self.issuer}#{self.kid}"

    @property
    def thumbprint(self) -> str:
        """RFC 7638: the same for all programs, so that people can compare it."""
        jwk = canonical.encode({"crv": "Ed25519", "kty": "OKP", "x": base64url(self.raw)})
        return base64url(hashlib.sha256(jwk).digest())

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            VerifyKey(self.raw).verify(message, signature)
        except (BadSignatureError, ValueError):
            return False
        return True


class Signer(Protocol):
    """A private Ed25519 key, wherever it is kept."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes, pure Ed25519. The message of a proof has 64 bytes too; a JWS or a note may be longer."""
        ...


@dataclass(frozen=True)
class LocalKey:
    """A key whose seed is in this process."""

    public: PublicKey
    _seed: SigningKey

    @classmethod
    def from_seed(cls, issuer: str, kid: str, seed: bytes) -> Self:
        key = SigningKey(seed)
        return cls(PublicKey(issuer, kid, bytes(key.verify_key)), key)

    @classmethod
    def parse(cls, setting: str, issuer: str) -> Self:
        """The key in a setting, `kid:base64(32-byte seed)`. Raises KeyUnusable."""
        kid, _, encoded = setting.partition(":")
        if not KID.fullmatch(kid):
            raise KeyUnusable(
                "a signing key is written kid:seed, its kid of letters, digits, dots and hyphens"
            )
        try:
            seed = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            seed = b""
        if len(seed) != 32:
            raise KeyUnusable(f"the seed of the signing key {kid} is not 32 bytes in base64")
        key = cls.from_seed(issuer, kid, seed)
        if key.public.raw in KNOWN_SEEDS:
            raise KeyUnusable(f"the seed of the signing key {kid} is published, so anyone can sign with it")
        return key

    def sign(self, message: bytes) -> bytes:
        return self._seed.sign(message).signature


def issuer(base_url: str) -> str:
    """The did:web of a site: its host, and its port if it has one of its own."""
    site = urlsplit(base_url)
    if not site.hostname:
        raise ValueError(f"{base_url} has no host")
    return f"did:web:{site.hostname}" + (f"%3A{site.port}" if site.port else "")


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
