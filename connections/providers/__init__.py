"""What every provider's client speaks: a key is tried, and usage is read page by page as plain rows.

One module a provider and one line in `registry.py`. Only base URLs differ between the world and a sandbox of it.
"""

import hashlib
import json
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import httpx
import structlog

from carbon_site.logs import redact

LONGEST = 300
log = structlog.get_logger(__name__)


class ProviderUnavailable(Exception):
    """Try again later: no answer, a 429, a 5xx, an answer cut short. `retry_after` in seconds, if the provider says."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(redact(detail))
        self.retry_after = retry_after


class NotOffered(Exception):
    """The account does not have this kind of usage at all."""


class QueryRefused(ProviderUnavailable):
    """The provider refuses the question itself: our mistake, or a cursor that it no longer takes."""


class ProviderRefused(Exception):
    """Trying again will not help. `status` is what the connection's status becomes."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(redact(detail))
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What a provider says of one bucket. Token classes are disjoint; None means that it does not say.

    `cache_write_long` is the part of `cache_write` that is kept for an hour or more, `reasoning` a part of `output`.
    """

    identity: bytes
    family: str
    width: int  # seconds
    starts_at: datetime
    model: str | None = None
    service_tier: str | None = None
    provider_project: str | None = None
    api_key: str | None = None
    region: str | None = None
    input_uncached: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    output: int | None = None
    reasoning: int | None = None
    requests: int | None = None
    quantity: int | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes as they came, the rows in them, and the cursor of the page after."""

    raw: bytes
    rows: list[UsageRow]
    next: str | None


class Provider(Protocol):
    """A client for one account's key. `families` are the kinds of usage that are read, each with a cursor of its own."""

    families: tuple[str, ...]

    async def validate(self, now: datetime) -> list[str]:
        """Prove that the key reads usage; answer with every name of the account that the provider tells, the best first.

        Raises ProviderRefused, ProviderUnavailable.
        """

    def pages(
        self, family: str, start: datetime, end: datetime, after: str | None = None
    ) -> AsyncIterator[Page]:
        """Usage within [start, end) page by page; from the cursor `after` of the same query, if given."""

    def rows(self, family: str, said: Any) -> list[UsageRow]:
        """The rows of a page, from its JSON alone: a page that was kept says the same for ever."""

    def query_hash(self, family: str, start: datetime, end: datetime) -> str:
        """The name of the query that a cursor belongs to."""


def identity(account: str, family: str, width: int, start: int, dimensions: list[Any]) -> bytes:
    """The name of a bucket, the same whoever asks and whenever. A null dimension is part of it."""
    name = [account, family, width, start, *dimensions]
    return hashlib.sha256(json.dumps(name, separators=(",", ":")).encode()).digest()


def clean(text: str | None) -> str | None:
    """A provider's word as it stands in ledger, exports and receipts: NFC, printable, at most 300 characters."""
    if text is None:
        return None
    letters = unicodedata.normalize("NFC", str(text))
    return "".join(letter for letter in letters if unicodedata.category(letter) not in ("Cc", "Cs"))[:LONGEST]


Refusal = Callable[[httpx.Response], ProviderRefused | None]  # why an answer is final, if it is


async def ask(http: httpx.AsyncClient, url: str, refusal: Refusal, **request: Any) -> tuple[bytes, Any]:
    """GET an address: the bytes of the answer, and what they say. Raises NotOffered, ProviderRefused, ProviderUnavailable."""
    try:
        answer = await http.get(url, **request)
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"no answer: {type(error).__name__}") from error
    if refused := refusal(answer):
        raise refused
    if answer.status_code in (408, 429) or answer.is_server_error or answer.is_redirect:
        wait = answer.headers.get("retry-after", "")
        raise ProviderUnavailable(f"answered {answer.status_code}", float(wait) if wait.isdigit() else None)
    if answer.status_code == 404:
        raise NotOffered
    if answer.is_error:
        log.error("provider.query_refused", url=url, status=answer.status_code, said=answer.text[:LONGEST])
        raise QueryRefused(f"answered {answer.status_code}")
    try:
        return answer.content, json.loads(answer.content)
    except ValueError as error:
        raise ProviderUnavailable("an answer cut short") from error
