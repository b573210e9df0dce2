"""A page of usage becomes the ledger: all of it and all that follows from it, or nothing."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from importlib.resources import files
from operator import attrgetter
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from carbon_site.ids import decode, uuid7
from carbon_site.transactions import transaction_required
from connections.models import ProviderConnection
from connections.providers import Page, UsageRow
from telemetry.ledger import open_ledger
from telemetry.models import RawPage, TelemetryEvent, raw_path
from telemetry.signals import ledger_changed

SQL = files("telemetry") / "sql"
STAGING, RECORD_PAGE = (SQL / "staging.sql").read_text(), (SQL / "record_page.sql").read_text()
COLUMNS = [field.name for field in fields(UsageRow)]
TYPES = {"identity": "bytea", "width": "int4", "starts_at": "timestamptz"} | dict.fromkeys(
    [
        "input_uncached",
        "cache_read",
        "cache_write",
        "cache_write_long",
        "output",
        "reasoning",
        "requests",
        "quantity",
    ],
    "int8",
)
COUNTED = [name for name, kind in TYPES.items() if kind == "int8"]
COPY = f"COPY usage_page (id, {', '.join(COLUMNS)}, is_summed) FROM STDIN (FORMAT BINARY)"
values = attrgetter(*COLUMNS)


def keep_raw(organization_id: str, raw: bytes) -> bytes:
    """Store a page as it came, under its SHA-256. Before the transaction: a file too many is harmless, one too few is not."""
    digest = hashlib.sha256(raw).digest()
    path = raw_path(organization_id, digest)
    is_there = default_storage.exists(path)
    if is_there and _holds(path, raw):
        return digest
    if is_there:
        default_storage.delete(path)  # whoever wrote it was killed half way
    default_storage.save(path, ContentFile(gzip.compress(raw, mtime=0)))
    return digest


def _holds(path: str, raw: bytes) -> bool:
    with default_storage.open(path) as file:
        try:
            return gzip.decompress(file.read()) == raw
        except (EOFError, OSError, zlib.error):
            return False


def raw(page: RawPage) -> bytes:
    """A page as the provider sent it."""
    with default_storage.open(page.path) as file:
        return gzip.decompress(file.read())


@transaction_required
def record(source: ProviderConnection, family: str, page: Page, now: datetime | None = None) -> int:
    """Let the ledger say what the page says, with all that follows from it, in the caller's transaction.

    `now` is given only by `job --now`; otherwise the ledger looks at the clock itself.
    """
    observed_at = open_ledger(source.organization_id, now)
    if not page.rows:
        return 0
    parameters = _parameters(source, page.rows, observed_at)
    with connection.cursor() as cursor:
        cursor.execute(STAGING)
        _copy(cursor, summed(page.rows))
        cursor.execute(RECORD_PAGE, parameters)
        cursor.execute("SELECT count(*) FROM ledger_change")
        changes = cursor.fetchone()[0]
    if changes:
        _note_raw_page(source, family, page.raw, observed_at)
        ledger_changed.send(
            TelemetryEvent,
            organization_id=source.organization_id,
            connection_id=source.pk,
            observed_at=observed_at,
            span=(parameters["start"], parameters["end"]),
            table="ledger_change",
        )
    return changes


def summed(rows: Iterable[UsageRow]) -> list[tuple[UsageRow, bool]]:
    """Rows of one identity within a page are one bucket: added up, and flagged."""
    buckets: dict[bytes, tuple[UsageRow, bool]] = {}
    for row in rows:
        known = buckets.get(row.identity)
        buckets[row.identity] = (row, False) if known is None else (_sum(known[0], row), True)
    return list(buckets.values())


def _sum(one: UsageRow, other: UsageRow) -> UsageRow:
    sums: dict[str, Any] = {}
    for name in COUNTED:
        said = [count for count in (getattr(one, name), getattr(other, name)) if count is not None]
        sums[name] = sum(said) if said else None
    return replace(one, **sums)


def _copy(cursor: Any, buckets: list[tuple[UsageRow, bool]]) -> None:
    with cursor.copy(COPY) as copy:
        copy.set_types(["uuid", *(TYPES.get(name, "text") for name in COLUMNS), "bool"])
        for row, is_summed in buckets:
            copy.write_row((uuid7(), *values(row), is_summed))


def _parameters(source: ProviderConnection, rows: list[UsageRow], observed_at: datetime) -> dict[str, Any]:
    times = [row.starts_at for row in rows]
    return {
        "organization": decode(source.organization_id),
        "connection": decode(source.pk),
        "project": decode(source.project_id),
        "provider": source.provider,
        "observed_at": observed_at,
        "start": min(times),
        "end": max(times) + timedelta(microseconds=1),
    }


def _note_raw_page(source: ProviderConnection, family: str, raw: bytes, observed_at: datetime) -> None:
    RawPage.objects.for_organization(source.organization_id).create(
        organization_id=source.organization_id,
        connection=source,
        family=family,
        digest=hashlib.sha256(raw).digest(),
        size=len(raw),
        observed_at=observed_at,
    )
