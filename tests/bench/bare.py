"""The least that writes a page and what follows from it: rows that are there already, by COPY and INSERT … ON CONFLICT."""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from django.db import connection, models
from django.db.transaction import atomic

from carbon_site.ids import decode
from emissions.models import KEY, SUMS, CarbonCalculation, UsageDay, UsageHour
from projects import tenancy
from telemetry.models import TelemetryEvent

TABLES: list[type[models.Model]] = [TelemetryEvent, CarbonCalculation, UsageHour, UsageDay]
ONCE: dict[type[models.Model], str] = {
    TelemetryEvent: "organization_id, starts_at, identity",
    CarbonCalculation: "organization_id, starts_at, event_id",
}


@dataclass(frozen=True)
class Rows:
    """What a page left in one table, with the types of its columns as PostgreSQL numbers them."""

    model: type[models.Model]
    types: list[int]
    values: list[tuple[Any, ...]]


def left_behind(source: str, heir: str, start: datetime, end: datetime) -> list[Rows]:
    """The rows of one organisation in a span of time, made out to another."""
    with tenancy.organization(source):
        return [_read(model, heir, start, end) for model in TABLES]


def _read(model: type[models.Model], heir: str, start: datetime, end: datetime) -> Rows:
    columns = ", ".join("%(heir)s::uuid" if name == "organization_id" else name for name in _columns(model))
    statement = (
        f"SELECT {columns} FROM {model._meta.db_table} WHERE starts_at >= %(start)s AND starts_at < %(end)s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {"heir": decode(heir), "start": start, "end": end})
        return Rows(model, [column.type_code for column in cursor.description], cursor.fetchall())


def write(organization: str, page: list[Rows]) -> float:
    """Write a page's rows in all tables; events a second."""
    with tenancy.organization(organization):
        began = perf_counter()
        with atomic(), connection.cursor() as cursor:
            for rows in page:
                _write(cursor, rows)
        return len(page[0].values) / (perf_counter() - began)


def _write(cursor: Any, rows: Rows) -> None:
    table, columns = rows.model._meta.db_table, ", ".join(_columns(rows.model))
    staging = f"bare_{table}"
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (LIKE {table}) ON COMMIT DELETE ROWS")
    with cursor.copy(f"COPY {staging} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(rows.types)
        for row in rows.values:
            copy.write_row(row)
    cursor.execute(
        f"INSERT INTO {table} AS old ({columns}) SELECT {columns} FROM {staging} {_on_conflict(rows.model)}"
    )


def _on_conflict(model: type[models.Model]) -> str:
    if model in ONCE:
        return f"ON CONFLICT ({ONCE[model]}) WHERE superseded_at IS NULL DO NOTHING"
    key = ", ".join(["organization_id", *KEY[1:]])
    added = ", ".join(f"{name} = old.{name} + excluded.{name}" for name in ["events", "energy_uwh", *SUMS])
    return f"ON CONFLICT ({key}) DO UPDATE SET {added}"


def _columns(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
