"""Reading a connection: each family from its watermark, less the trailing hours, to this hour.

Each page is in the ledger before the next is asked for, so that whoever is killed goes on from there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import structlog
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection

from carbon_site.secret_store import CannotOpen, secret_store
from carbon_site.transactions import transaction
from connections import services
from connections.models import ProviderConnection
from connections.providers import (
    NotOffered,
    Page,
    Provider,
    ProviderRefused,
    ProviderUnavailable,
    QueryRefused,
)
from connections.providers.registry import http_client, provider_for
from telemetry.ingest import keep_raw, record
from telemetry.models import TRAILING, PollCursor, PollRun, Span

log = structlog.get_logger(__name__)


class Unfinished(Exception):
    """The time for this reading is over; what is left is read by the next."""


@dataclass
class Reading:
    """One reading of one connection: what it is to do, and what it came to."""

    source: ProviderConnection
    now: datetime
    observed_at: datetime | None = None  # given only by `job --now`
    patience: float | None = None  # seconds after which no further page is asked for
    begun: float = field(default_factory=monotonic)
    run: PollRun | None = None  # the span that is being read
    pages: int = 0
    rows: int = 0
    changes: int = 0
    refused: str = ""

    @property
    def counts(self) -> dict[str, int]:
        return {"pages": self.pages, "rows": self.rows, "changes": self.changes}

    async def read(self) -> None:
        """Raises ProviderRefused, ProviderUnavailable, Unfinished."""
        try:
            secret = secret_store().open(self.source.secret)
        except CannotOpen as error:
            raise ProviderRefused(
                "invalid_credentials", "The sealed key cannot be opened any more."
            ) from error
        async with http_client() as http:
            provider = provider_for(
                self.source.provider, http, secret=secret, account=self.source.account or ""
            )
            for family in provider.families:
                await self._read_family(provider, family)

    async def _read_family(self, provider: Provider, family: str) -> None:
        cursor = await sync_to_async(self._cursor)(family)
        try:
            if cursor.page:  # the rest of a span that was cut off may end before this hour
                await self._read_rest(provider, cursor)
            await self._read_span(provider, cursor)
        except NotOffered:
            log.info("poll.not_offered", connection=self.source.pk, family=family)

    async def _read_rest(self, provider: Provider, cursor: PollCursor) -> None:
        """A cursor that the provider no longer takes is let go: the span is read anew."""
        try:
            await self._read_span(provider, cursor)
        except QueryRefused:
            cursor.page = None

    async def _read_span(self, provider: Provider, cursor: PollCursor) -> None:
        span, after = self._place(provider, cursor)
        if span.start >= span.end:
            return
        self.run = PollRun(
            organization_id=self.source.organization_id, connection=self.source, family=cursor.family,
            span_start=span.start, span_end=span.end, started_at=self.now,
        )  # fmt: skip
        query_hash = provider.query_hash(cursor.family, *span)
        async for page in provider.pages(cursor.family, span.start, span.end, after):
            await sync_to_async(self._take)(cursor, self.run, page, query_hash)
            if self.patience is not None and monotonic() > self.begun + self.patience:
                raise Unfinished
        self.run = None

    def _cursor(self, family: str) -> PollCursor:
        cursors = PollCursor.objects.for_organization(self.source.organization_id)
        cursor, _ = cursors.get_or_create(
            organization_id=self.source.organization_id,
            connection=self.source,
            family=family,
            defaults={"watermark": self.source.read_from},
        )
        return cursor

    def _place(self, provider: Provider, cursor: PollCursor) -> tuple[Span, str | None]:
        """Where to read: the rest of a span that was cut off, as its cursor is bound to its query; else up to this hour."""
        start = max(cursor.watermark - TRAILING, self.source.read_from)
        if cursor.page and cursor.span_end:
            rest = Span(start, cursor.span_end)
            if provider.query_hash(cursor.family, *rest) == cursor.query_hash:
                return rest, cursor.page
        return Span(start, self.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)), None

    def _take(self, cursor: PollCursor, run: PollRun, page: Page, query_hash: str) -> None:
        """One page into the ledger, and the cursor past it, in one transaction."""
        if page.rows:
            keep_raw(cursor.organization_id, page.raw)
        changes = self._take_at_once(cursor, run, page, query_hash)
        self.pages, self.rows, self.changes = (
            self.pages + 1,
            self.rows + len(page.rows),
            self.changes + changes,
        )

    @transaction
    def _take_at_once(self, cursor: PollCursor, run: PollRun, page: Page, query_hash: str) -> int:
        changes = record(self.source, cursor.family, page, self.observed_at)
        run.pages, run.rows, run.changes = run.pages + 1, run.rows + len(page.rows), run.changes + changes
        cursor.page, cursor.query_hash, cursor.span_end = page.next, query_hash, run.span_end
        if page.next is None:
            cursor.watermark, cursor.query_hash, cursor.span_end = run.span_end, "", None
            run.finished_at = self.now
            run.save()
        cursor.save(update_fields=["page", "query_hash", "span_end", "watermark"])
        return changes

    def report(
        self, refused: ProviderRefused | None = None, unavailable: ProviderUnavailable | None = None
    ) -> None:
        """Keep how it went: in the connection, and a span that did not come to its end with the reason."""
        self.refused = str(refused or "")
        if self.run is not None and self.run.finished_at is None:
            self.run.error = str(refused or unavailable)[:500]
            self.run.save()
        services.report_reading(
            organization_id=self.source.organization_id,
            connection_id=self.source.pk,
            now=self.now,
            refused=refused,
            unavailable=unavailable,
        )


def poll(
    *,
    organization_id: str,
    connection_id: str,
    now: datetime,
    observed_at: datetime | None = None,
    patience: float | None = None,
) -> Reading | None:
    """Read one connection up to `now`. None where somebody else is reading it, or it may not be read.

    Raises ProviderUnavailable, or Unfinished after `patience` seconds; what was read till then is kept. `observed_at` is
    given only by `job --now`.
    """
    with alone(connection_id) as is_alone:
        source = _ready(organization_id, connection_id, now) if is_alone else None
        if source is None:
            return None
        reading = Reading(source, now, observed_at, patience)
        try:
            async_to_sync(reading.read)()
        except ProviderRefused as refused:
            reading.report(refused=refused)
        except ProviderUnavailable as unavailable:
            reading.report(unavailable=unavailable)
            raise
        except Unfinished:
            raise
        except Exception as error:  # our mistake: heard, and seen by whoever looks at the connection
            reading.report(
                unavailable=ProviderUnavailable(f"something is wrong on our side ({type(error).__name__})")
            )
            raise
        else:
            reading.report()
        log.info("poll.done", connection=connection_id, refused=reading.refused, **reading.counts)
        return reading


@contextmanager
def alone(connection_id: str) -> Iterator[bool]:
    """Two readings of a connection at once are one: whoever comes second is told so. A process that dies lets go."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 1))", [connection_id])
        is_alone = bool(cursor.fetchone()[0])
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 1))", [connection_id])


def _ready(organization_id: str, connection_id: str, now: datetime) -> ProviderConnection | None:
    """The connection, if it may be read; one that was never proved is tried first."""
    connections = ProviderConnection.objects.for_organization(organization_id)
    source = connections.get(pk=connection_id)
    if source.account is None and source.archived_at is None and not source.is_paused:
        services.prove(organization_id=organization_id, connection_id=connection_id, now=now)
    return connections.due(now).exclude(account=None).filter(pk=connection_id).first()
