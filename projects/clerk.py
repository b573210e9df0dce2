"""Session tokens of people, as Clerk signs them (RS256, claims of version 1 and 2), checked without asking Clerk each time.

A token is refused for one reason, which is logged and not answered: whoever guesses learns nothing.
Source: https://clerk.com/docs/guides/sessions/manual-jwt-verification and the checks of Clerk's own JavaScript back end.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from time import monotonic
from typing import Any

import httpx
import jwt
import structlog
from django.conf import settings

from carbon_site.http import TRUST, USER_AGENT
from carbon_site.problems import Problem

LONGEST = 16_384
LEEWAY = 5  # seconds between our clock and Clerk's
FRESH_FOR, ASKED_AGAIN_AFTER, WAIT = 300.0, 30.0, 2.0  # seconds
# Session, template and machine tokens bear the same key and issuer; only this header tells them apart.
SESSION_CATEGORIES = {None, "cl_B7d4PD111AAA", "cl_I7d4PD111III"}
CLAIMS = ["exp", "nbf", "iat", "iss", "sub", "sid"]
log = structlog.get_logger(__name__)


class Refused(Exception):
    """The token is not accepted; the message says why, for the log."""

    is_a_guess = True


class Expired(Refused):
    """The token was genuine, and its minute is over: no reason to suspect whoever brought it."""

    is_a_guess = False


class IdentityProviderAway(Problem):
    """Sign-in cannot be checked at the moment; try again soon."""

    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(int(ASKED_AGAIN_AFTER))}


@dataclass(frozen=True)
class Session:
    """A person who is signed in, and the organisation that they chose: `organization` None is their personal one."""

    user: str
    organization: str | None
    slug: str | None
    role: str


def read_session(token: str) -> Session:
    """The session behind a token. Raises Refused, or IdentityProviderAway if no key was ever fetched."""
    if not settings.CLERK_ISSUER:
        raise Refused("no identity provider is configured")
    if len(token) > LONGEST:
        raise Refused(f"longer than {LONGEST} characters")
    try:
        key = keys().find(_key_id(jwt.get_unverified_header(token)))
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=settings.CLERK_ISSUER,
            leeway=LEEWAY,
            options={"require": CLAIMS, "verify_aud": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise Expired("expired") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Refused(f"{type(error).__name__}: {error}") from error
    return _session(claims)


def _key_id(header: Mapping[str, Any]) -> str:
    if header.get("alg") != "RS256" or header.get("typ", "JWT") != "JWT":
        raise Refused("not an RS256 JWT")
    if header.get("cat") not in SESSION_CATEGORIES:
        raise Refused("not a session token")
    key_id = header.get("kid")
    if not isinstance(key_id, str):
        raise Refused("names no key")
    return key_id


def _session(claims: Mapping[str, Any]) -> Session:
    if claims.get("azp") not in settings.CLERK_AUTHORIZED_PARTIES:
        raise Refused("made for another party")
    if claims.get("sts") == "pending":
        raise Refused("not fully signed in")
    if "act" in claims:
        log.info("session.acted_for", actor=str(claims["act"]), user=claims["sub"])
    organization = claims.get("o") or {}
    if not isinstance(organization, dict):
        raise Refused("its organisation has an unknown form")
    identity = organization.get("id") or claims.get("org_id")
    role = organization.get("rol") or claims.get("org_role") or ""
    return Session(
        user=claims["sub"],
        organization=identity,
        slug=organization.get("slg") or claims.get("org_slug"),
        role=str(role).removeprefix("org:") if identity else "admin",
    )


@dataclass
class Keys:
    """The issuer's public keys: fetched again when old, or when a token names one that is not here, but not at every such token.

    While the issuer is away the keys that are here go on.
    """

    url: str
    held: dict[str, jwt.PyJWK] = field(default_factory=dict)
    fetched: float = float("-inf")
    asked: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key_id: str) -> jwt.PyJWK:
        now = monotonic()
        if (
            key_id not in self.held or now > self.fetched + FRESH_FOR
        ) and now > self.asked + ASKED_AGAIN_AFTER:
            self._fetch(now)
        if not self.held:
            raise IdentityProviderAway()
        if key_id not in self.held:
            raise Refused("names a key that the issuer does not publish")
        return self.held[key_id]

    def _fetch(self, now: float) -> None:
        if not self.lock.acquire(blocking=not self.held):
            return  # somebody is asking already, and there are keys to go on with
        try:
            if now <= self.asked + ASKED_AGAIN_AFTER:
                return
            self.asked = now
            answer = httpx.get(self.url, timeout=WAIT, verify=TRUST, headers={"User-Agent": USER_AGENT})
            published = jwt.PyJWKSet.from_dict(answer.raise_for_status().json()).keys
            self.held = {key.key_id: key for key in published if key.key_id and key.key_type == "RSA"}
            self.fetched = now
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, AttributeError) as error:
            log.warning("session.keys_not_fetched", error=str(error), held=len(self.held))
        finally:
            self.lock.release()


@cache
def keys() -> Keys:
    return Keys(settings.CLERK_JWKS_URL or f"{settings.CLERK_ISSUER}/.well-known/jwks.json")
