"""What must be right before anything starts: system checks, each with an id and one clear line.

Django runs them for every command; `insist` runs them for the web process and the worker.
"""

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register, run_checks

from carbon_site.secret_store import decode_key

ENVIRONMENTS = ("local", "staging", "production")
SHORTEST_SECRET = 32


def insist() -> None:
    """Refuse to start, one line a reason, where a check fails."""
    if errors := [error for error in run_checks(tags=[Tags.security]) if error.is_serious()]:
        raise SystemExit("\n".join(f"Refusing to start ({error.id}): {error.msg}" for error in errors))


@register(Tags.security)
def environment_is_known(**_: Any) -> list[Error]:
    if settings.CARBON_ENV in ENVIRONMENTS:
        return []
    return [
        Error(
            f"CARBON_ENV is “{settings.CARBON_ENV}”; it is one of {', '.join(ENVIRONMENTS)}.",
            id="carbon.E001",
        )
    ]


@register(Tags.security)
def time_is_utc(**_: Any) -> list[Error]:
    if settings.USE_TZ and settings.TIME_ZONE == "UTC":
        return []
    return [Error("TIME_ZONE is not UTC; accounting periods are UTC months.", id="carbon.E002")]


@register(Tags.security)
def secret_store_is_known(**_: Any) -> list[Error]:
    if settings.SECRET_STORE == "local":
        return []
    return [
        Error(f"SECRET_STORE is “{settings.SECRET_STORE}”; `local` is the one there is.", id="carbon.E003")
    ]


@register(Tags.security)
def secret_store_key_is_a_key(**_: Any) -> list[Error]:
    if not settings.SECRET_STORE_KEY:
        return _outside_local(
            "SECRET_STORE_KEY is not set; provider keys could not be opened again.", "carbon.E004"
        )
    try:
        decode_key(settings.SECRET_STORE_KEY)
    except ValueError:
        return [Error("SECRET_STORE_KEY is not 32 bytes in base64.", id="carbon.E004")]
    return []


@register(Tags.security)
def secret_key_is_secret(**_: Any) -> list[Error]:
    if settings.SECRET_KEY != settings.INSECURE_KEY and len(settings.SECRET_KEY) >= SHORTEST_SECRET:
        return []
    return _outside_local(
        f"SECRET_KEY is the default, or shorter than {SHORTEST_SECRET} characters.", "carbon.E005"
    )


@register(Tags.security)
def sessions_are_pinned(**_: Any) -> list[Error]:
    if not settings.CLERK_ISSUER or settings.CLERK_AUTHORIZED_PARTIES:
        return []
    return [
        Error(
            "CLERK_ISSUER is set without CLERK_AUTHORIZED_PARTIES; no session could be told from another's.",
            id="carbon.E009",
        )
    ]


@register(Tags.security)
def nothing_is_shown_to_strangers(**_: Any) -> list[Error]:
    return (
        _outside_local("DEBUG is on; it shows settings and source.", "carbon.E006") if settings.DEBUG else []
    )


@register(Tags.security)
def hosts_are_named(**_: Any) -> list[Error]:
    if settings.ALLOWED_HOSTS and "*" not in settings.ALLOWED_HOSTS:
        return []
    return _outside_local("ALLOWED_HOSTS names no host, or every host.", "carbon.E007")


@register(Tags.security)
def public_address_is_encrypted(**_: Any) -> list[Error]:
    if settings.PUBLIC_BASE_URL.startswith("https://"):
        return []
    return _outside_local("PUBLIC_BASE_URL does not begin with https://; receipts carry it.", "carbon.E008")


def _outside_local(message: str, identity: str) -> list[Error]:
    return [] if settings.LOCAL else [Error(message, id=identity)]
