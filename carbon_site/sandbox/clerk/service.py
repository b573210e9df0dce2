"""Clerk as a part of the world: one signing key, its JWKS, and session tokens for whoever asks.

GET  /clerk/.well-known/jwks.json
POST /clerk/sign      {"claims": {…}, "headers": {…}} → {"jwt": "…"}; null takes a claim or header away
POST /clerk/rotate    a new key; tokens of the old one are worthless from now on
"""

import secrets
from collections.abc import Collection, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

from carbon_site.sandbox.wire import Answer, Refused, Request, bad_switch
from carbon_site.sandbox.world import Refusal, Switch, World

SESSION = "cl_B7d4PD111AAA"  # the category of a session token; templates and machines have others
LIFETIME = 60  # seconds
JWKS = "/.well-known/jwks.json"
AUTHORIZED_PARTY = "http://localhost:3000"


def error(status: int, message: str, code: str) -> Answer:
    return Answer.json({"errors": [{"message": message, "long_message": message, "code": code}]}, status)


class Clerk:
    """`/clerk/…`; the issuer is this sandbox's address with `/clerk`."""

    refusals: Mapping[str, Refusal] = {
        "throttled": lambda fault: Answer.json({"errors": []}, 429, retry_after=str(fault.retry_after)),
        "throttled_silent": lambda fault: Answer.json({"errors": []}, 429),
        "broken": lambda fault: error(500, "Internal error", "internal_clerk_error"),
    }
    quirks: Collection[str] = ()

    def __init__(self, world: World) -> None:
        self.world = world
        self.issuer = f"{world.url}/clerk"
        self.environment: Mapping[str, str] = {
            "CLERK_ISSUER": self.issuer,
            "CLERK_JWKS_URL": f"{self.issuer}{JWKS}",
            "CLERK_AUTHORIZED_PARTIES": AUTHORIZED_PARTY,
        }
        self.switches: Mapping[str, Switch] = {"/sign": self.sign, "/rotate": self.rotate}
        self._kept = world.state.section("clerk")
        if self._kept:
            self._key = _read(self._kept["pem"])
        else:
            self._new_key()

    def account(self, request: Request) -> str | None:
        return None

    def respond(self, request: Request) -> Answer:
        if (request.method, request.path) != ("GET", JWKS):
            raise Refused(error(404, "not found", "resource_not_found"))
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        key = {"use": "sig", "kid": self._kept["kid"], "alg": "RS256"}
        return Answer.json({"keys": [key | {name: public[name] for name in ("kty", "n", "e")}]})

    def sign(self, request: Request) -> Answer:
        asked = request.json()
        headers = {"cat": SESSION, "kid": self._kept["kid"], "typ": "JWT"} | asked.get("headers", {})
        if headers.setdefault("alg", "RS256") != "RS256":
            raise bad_switch("Only RS256 is signed here.")
        claims = self._session() | asked.get("claims", {})
        token = jwt.encode(_present(claims), self._key, "RS256", headers=_present(headers))
        return Answer.json({"jwt": token})

    def rotate(self, request: Request) -> Answer:
        self._new_key()
        return Answer.json({"kid": self._kept["kid"]})

    def _session(self) -> dict[str, Any]:
        now = self.world.clock.now()
        return {
            "iss": self.issuer,
            "azp": AUTHORIZED_PARTY,
            "sid": f"sess_{secrets.token_hex(8)}",
            "sub": "user_sandbox",
            "iat": now,
            "nbf": now - 10,
            "exp": now + LIFETIME,
        }

    def _new_key(self) -> None:
        self._key = generate_private_key(public_exponent=65_537, key_size=2048)
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._kept |= {"kid": f"ins_{secrets.token_hex(12)}", "pem": pem.decode()}
        self.world.state.save()


def _read(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("The state file holds a key that is not RSA.")
    return key


def _present(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}
