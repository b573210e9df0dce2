"""Reading a connection: each family from its watermark, less the trailing hours, to this hour.

Each page is in the ledger before the next is asked for, so that whoever is killed goes on from there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection

from carbon_site.secret_store import secret_store
from carbon_site.transactions import transaction
from connections import services
from connections.models import ProviderConnection
from connections.providers import Page, Provider, ProviderRefused, ProviderUnavailable
from connections.providers.registry import http_client, provider_for
from telemetry.ingest import keep_raw, record
from telemetry.models import TRAILING, PollCursor, PollRun, Span

log = structlog.get_logger(__name__)


@dataclass
class Reading:
    """What reading one connection came to."""

    pages: int = 0
    rows: int = 0
    changes: int = 0


def poll(
    *, organization_id: str, connection_id: str, now: datetime, observed_at: datetime | None = None
) -> Reading | None:
    """Read one connection up to `now`. None where somebody else is reading it, or it may not be read.

    Raises ProviderUnavailable after keeping what it read. `observed_at` is given only by `job --now`.
    """
    with alone(connection_id) as is_alone:
        if not is_alone:
            return None
        source = _ready(organization_id, connection_id, now)
        if source is None:
            return None
        reading = Reading()
        try:
            async_to_sync(_read)(source, now, observed_at, reading)
        except ProviderRefused as refused:
            _report(source, now, refused=refused)
        except ProviderUnavailable as unavailable:
            _report(source, now, unavailable=unavailable)
            raise
        else:
            _report(source, now)
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
    if source.account is None and source.archived_at is None:
        services.prove(organization_id=organization_id, connection_id=connection_id, now=now)
    return connections.due(now).exclude(account=None).filter(pk=connection_id).first()


async def _read(
    source: ProviderConnection, now: datetime, observed_at: datetime | None, reading: Reading
) -> None:
    secret = secret_store().open(source.secret)
    async with http_client() as http:
        provider = provider_for(source.provider, http, secret=secret, account=source.account or "")
        for family in provider.families:
            await _read_family(source, provider, family, now, observed_at, reading)


async def _read_family(
    source: ProviderConnection,
    provider: Provider,
    family: str,
    now: datetime,
    observed_at: datetime | None,
    reading: Reading,
) -> None:
    cursor = await sync_to_async(_cursor)(source, family)
    span, after = _place(cursor, provider, source, now)
    if span.start >= span.end:
        return
    run = PollRun(
        organization_id=source.organization_id, connection=source, family=family,
        span_start=span.start, span_end=span.end, started_at=now,
    )  # fmt: skip
    async for page in provider.pages(family, span.start, span.end, after):
        changes = await sync_to_async(_take)(
            cursor, run, page, provider.query_hash(family, *span), observed_at, now
        )
        reading.pages, reading.rows, reading.changes = (
            reading.pages + 1, reading.rows + len(page.rows), reading.changes + changes,
        )  # fmt: skip


def _cursor(source: ProviderConnection, family: str) -> PollCursor:
    cursor, _ = PollCursor.objects.for_organization(source.organization_id).get_or_create(
        organization_id=source.organization_id,
        connection=source,
        family=family,
        defaults={"watermark": source.read_from},
    )
    return cursor


def _place(
    cursor: PollCursor, provider: Provider, source: ProviderConnection, now: datetime
) -> tuple[Span, str | None]:
    """Where to read: the rest of a span that was cut off, as its cursor is bound to its query; else a span up to this hour."""
    start = max(cursor.watermark - TRAILING, source.read_from)
    if cursor.page and cursor.span_end:
        begun = Span(start, cursor.span_end)
        if provider.query_hash(cursor.family, *begun) == cursor.query_hash:
            return begun, cursor.page
    return Span(start, now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)), None


def _take(
    cursor: PollCursor, run: PollRun, page: Page, query_hash: str, observed_at: datetime | None, now: datetime
) -> int:
    """One page into the ledger, and the cursor past it, in one transaction."""
    if page.rows:
        keep_raw(cursor.organization_id, page.raw)
    return _take_at_once(cursor, run, page, query_hash, observed_at, now)


@transaction
def _take_at_once(
    cursor: PollCursor, run: PollRun, page: Page, query_hash: str, observed_at: datetime | None, now: datetime
) -> int:
    changes = record(cursor.connection, cursor.family, page, observed_at)
    run.pages, run.rows, run.changes = run.pages + 1, run.rows + len(page.rows), run.changes + changes
    cursor.page, cursor.query_hash, cursor.span_end = page.next, query_hash, run.span_end
    if page.next is None:
        cursor.watermark, cursor.query_hash, cursor.span_end = run.span_end, "", None
        run.finished_at = now
        run.save()
    cursor.save(update_fields=["page", "query_hash", "span_end", "watermark"])
    return changes


def _report(
    source: ProviderConnection,
    now: datetime,
    refused: ProviderRefused | None = None,
    unavailable: ProviderUnavailable | None = None,
) -> None:
    log.info(
        "poll.done", connection=source.pk, refused=str(refused or ""), unavailable=str(unavailable or "")
    )
    services.report_reading(
        organization_id=source.organization_id,
        connection_id=source.pk,
        now=now,
        refused=refused,
        unavailable=unavailable,
    )
