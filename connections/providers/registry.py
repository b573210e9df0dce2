"""Which provider is read by which module, where, and what its keys look like."""

from dataclasses import dataclass

import httpx
from django.conf import settings

from carbon_site.http import TIMEOUT, TRUST, USER_AGENT
from connections.providers import Provider, ProviderRefused
from connections.providers.openai import OpenAI


@dataclass(frozen=True)
class Known:
    """A provider's client, the setting with its address, and what a key must begin with to be of the right kind.

    The beginning is a hint for a better message where it is certainly wrong, and never proof of the right kind.
    """

    client: type[OpenAI]
    base_url: str
    wrong_prefixes: tuple[str, ...]
    where: str


PROVIDERS: dict[str, Known] = {
    "openai": Known(
        OpenAI,
        "OPENAI_BASE_URL",
        ("sk-proj-", "sk-svcacct-", "sk-ant-", "sk-or-"),
        "an admin key with the permission Usage: read, from platform.openai.com › Organization › Admin keys",
    ),
}


def http_client() -> httpx.AsyncClient:
    """A client for one reading. It follows no redirect: a key goes only where it was meant to go."""
    return httpx.AsyncClient(timeout=TIMEOUT, verify=TRUST, headers={"User-Agent": USER_AGENT})


def provider_for(provider: str, http: httpx.AsyncClient, *, secret: str, account: str = "") -> Provider:
    known = PROVIDERS[provider]
    return known.client(http, getattr(settings, known.base_url), secret, account)


def refuse_wrong_kind(provider: str, secret: str) -> None:
    """Raises ProviderRefused for a key that is certainly of another kind, before it goes anywhere."""
    known = PROVIDERS[provider]
    if not secret.isascii() or not secret.isprintable() or secret.startswith(known.wrong_prefixes):
        raise ProviderRefused("wrong_key_type", f"This is a key of another kind; make {known.where}.")
