"""OpenAI's usage and cost APIs, read with an organisation's admin key.

Source: https://platform.openai.com/docs/api-reference/usage. Input tokens there include cached and cache-written ones; here
the classes are disjoint. A cursor is bound to its exact query, so start and end are fixed for a reading.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx

from connections.providers import Page, ProviderRefused, ProviderUnavailable, UsageRow, ask, clean, identity

HOUR = 3600
BUCKETS_A_PAGE = 168
COST_DAYS = 31  # as many as one page certainly holds
PROJECT, USER, KEY, MODEL = "project_id", "user_id", "api_key_id", "model"


class Family(NamedTuple):
    """A kind of usage: its dimensions are part of every identity, so a change of them re-keys the ledger."""

    dimensions: tuple[str, ...]
    quantity: str | None = None
    unit: str | None = None
    requests: str = "num_model_requests"


TOKENS = Family((PROJECT, USER, KEY, MODEL, "batch", "service_tier"))
PLAIN = (PROJECT, USER, KEY, MODEL)
FAMILIES = {
    "completions": TOKENS,
    "decisions": TOKENS,
    "embeddings": Family(PLAIN),
    "moderations": Family(PLAIN),
    "images": Family((*PLAIN, "size", "source"), "images", "images"),
    "audio_speeches": Family(PLAIN, "characters", "characters"),
    "audio_transcriptions": Family(PLAIN, "seconds", "seconds"),
    "vector_stores": Family((PROJECT,), "usage_bytes", "bytes"),
    "code_interpreter_sessions": Family((PROJECT,), "num_sessions", "sessions"),
    "file_search_calls": Family((PROJECT, USER, KEY, "vector_store_id"), "num_requests", "calls"),
    "web_search_calls": Family((*PLAIN, "context_level"), "num_requests", "calls"),
}


class OpenAI:
    """Usage of one OpenAI organisation."""

    families = tuple(FAMILIES)

    def __init__(self, http: httpx.AsyncClient, base_url: str, secret: str, account: str) -> None:
        self.http, self.base_url, self.account = http, base_url, account
        self.headers = {"Authorization": f"Bearer {secret}"}

    async def validate(self, now: datetime) -> list[str]:
        """The organisation, where a cost row names it, and its oldest project: either may be told one day and not the other."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = _seconds(midnight - timedelta(days=COST_DAYS))
        with told():
            _, costs = await self._get("/organization/costs", start_time=since, limit=COST_DAYS)
            names = [row["organization_id"] for _, row in _rows(costs) if row.get("organization_id")]
            return list(dict.fromkeys([*names, *await self._oldest_project()]))

    async def pages(
        self, family: str, start: datetime, end: datetime, after: str | None = None
    ) -> AsyncIterator[Page]:
        query, path = _query(family, start, end), f"/organization/usage/{family}"
        more = True
        while more:
            with told():
                raw, said = await self._get(path, **query, page=after)
                more, before, after = said["has_more"], after, said["next_page"]
                rows = self.rows(family, said)
            if more and after in (None, before):
                raise ProviderUnavailable("more pages, but no way to them")
            if any(not start <= row.starts_at < end for row in rows):
                raise ProviderUnavailable("a bucket of another time than was asked for")
            yield Page(raw, rows, after)

    def rows(self, family: str, said: Any) -> list[UsageRow]:
        return [self._row(family, start, row) for start, row in _rows(said)]

    def query_hash(self, family: str, start: datetime, end: datetime) -> str:
        text = json.dumps([self.account, family, _query(family, start, end)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _row(self, family: str, start: int, said: dict[str, Any]) -> UsageRow:
        kind = FAMILIES[family]
        return UsageRow(
            identity=identity(
                self.account, family, HOUR, start, [said.get(name) for name in kind.dimensions]
            ),
            family=family,
            width=HOUR,
            starts_at=datetime.fromtimestamp(start, UTC),
            model=clean(said.get(MODEL)),
            service_tier="batch" if said.get("batch") else clean(said.get("service_tier")),
            provider_project=clean(said.get(PROJECT)),
            api_key=clean(said.get(KEY)),
            requests=said.get(kind.requests),
            quantity=None if kind.quantity is None else said.get(kind.quantity),
            unit=kind.unit,
            **_tokens(said),
        )

    async def _oldest_project(self) -> list[str]:
        """Needs a scope that a usage key may lack; then no project names the account."""
        try:
            _, projects = await self._get("/organization/projects", limit=100, include_archived="true")
        except ProviderRefused:
            return []
        oldest = min(projects["data"], key=lambda project: project["created_at"], default=None)
        return [] if oldest is None else [str(oldest["id"])]

    async def _get(self, path: str, **query: Any) -> tuple[bytes, Any]:
        query = {name: value for name, value in query.items() if value is not None}
        return await ask(self.http, self.base_url + path, _refusal, params=query, headers=self.headers)


@contextmanager
def told() -> Iterator[None]:
    """An answer of another shape than documented is no answer."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderUnavailable(f"an answer of an unknown shape ({type(error).__name__})") from error


def _query(family: str, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "start_time": _seconds(start),
        "end_time": _seconds(end),
        "bucket_width": "1h",
        "group_by": list(FAMILIES[family].dimensions),
        "limit": BUCKETS_A_PAGE,
    }


def _tokens(said: dict[str, Any]) -> dict[str, Any]:
    """The disjoint classes. What is not said stays None: without cached counts the whole input is uncached.

    The total is the authority: classes that do not sum to it are not believed, nor a part that is more than its whole.
    """
    total, read, written = (
        said.get(f"input_{name}") for name in ("tokens", "cached_tokens", "cache_write_tokens")
    )
    uncached, long = said.get("input_uncached_tokens"), said.get("input_cache_write_12h_tokens")
    cached = (read or 0) + (written or 0)
    if total is not None and (cached > total or uncached not in (None, total - cached)):
        read, written, cached = None, None, 0
    if long is not None and (written is None or long > written):
        long = None
    return {
        "input_uncached": uncached if total is None else total - cached,
        "cache_read": read,
        "cache_write": written,
        "cache_write_long": long,
        "output": said.get("output_tokens"),
    }


def _rows(said: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((bucket["start_time"], row) for bucket in said["data"] for row in bucket["results"])


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def _refusal(answer: httpx.Response) -> ProviderRefused | None:
    """By its words as well: `error` is an object or a bare string, and a missing scope is a 401 or a 403."""
    if answer.status_code in (401, 403):
        if "Missing scopes" in answer.text:
            return ProviderRefused(
                "insufficient_scope", "The key lacks the scope api.usage.read (Usage: read)."
            )
        return ProviderRefused(
            "invalid_credentials", "OpenAI does not accept the key: it is wrong, revoked or expired."
        )
    if answer.status_code == 429 and "insufficient_quota" in answer.text:
        return ProviderRefused("billing_issue", "OpenAI reports a billing problem of the account.")
    return None
