"""What was used and emitted, over time and by what it was used for: sums in SQL, bounds in Python at each level shown.

Central and mean add exactly; bounds never do, so each row's are made from its own sums per combination and term.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, reduce
from operator import add
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg import sql

from carbon_site.ids import decode, encode
from carbon_site.problems import Problem
from emissions.bounds import Bounds, Spread, bounds
from emissions.combinations import combination_of
from emissions.models import COUNTED, TERMS

DAY = timedelta(days=1)
MOST_ROWS = 20_000
GRANULARITIES = ("hour", "day", "week", "month", "total")
# What may be grouped by: its column, and how its values are written.
GROUPS: dict[str, tuple[str, str | None]] = {
    "project": ("project_id", "prj"),
    "workload": ("workload_id", "wkl"),
    "connection": ("connection_id", "con"),
    "provider": ("provider", None),
    "model": ("model", None),
    "tier": ("tier", None),
    "service_tier": ("service_tier", None),
}
TIERS = "LEFT JOIN emissions_factorcombination AS combination ON combination.id = usage.combination_id"
FILTERS = ("project", "workload", "connection", "provider", "model")
SUMS = [
    *(f"usage.{name}" for name in COUNTED),
    *(f"usage.known_{name}" for name in COUNTED),
    "usage.energy_uwh",
    " + ".join(f"usage.central_{term}_ug" for term in TERMS),
    *(f"usage.mean_{term}_ug" for term in TERMS),
]
COUNTS, STATED, FIGURES = slice(0, 6), slice(6, 12), slice(12, None)  # of SUMS
Part = tuple[UUID | None, tuple[int, ...]]  # what a group has of one combination: its SUMS


class TooManyRows(Problem):
    """The answer would have too many rows."""

    status = 400


@dataclass(frozen=True)
class Question:
    """Which usage, over which time [start, end), in which steps, and by what it is told apart."""

    organization_id: str
    start: datetime
    end: datetime
    granularity: str = "total"
    group_by: tuple[str, ...] = ()
    filters: dict[str, str] = field(default_factory=dict)


@dataclass
class Row:
    """The sums of one group in one step of time. A count is None where no event of the group states it."""

    starts_at: datetime | None
    group: dict[str, str | None]
    counts: dict[str, int | None]
    energy_uwh: int
    central_ug: int
    mean_ug: int
    bounds_ug: Bounds


def summarize(question: Question, now: datetime) -> list[Row]:
    """Rows by time, then group. Groups without usage are not there. Raises TooManyRows."""
    width = 1 + len(question.group_by)
    groups: dict[tuple[Any, ...], list[Part]] = {}
    for row in _rows(question, now):
        groups.setdefault(row[:width], []).append((row[width], row[width + 1 :]))
    return [_row(question, key, parts) for key, parts in groups.items()]


def _rows(question: Question, now: datetime) -> list[tuple[Any, ...]]:
    """Of each step of time, group and combination: all that names it, then SUMS."""
    by_days = question.granularity != "hour" and is_by_days(question.start, question.end, now)
    table = "emissions_usageday" if by_days else "emissions_usagehour"
    statement = _statement(table, question.granularity, question.group_by, tuple(question.filters))
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(question))
        found = cursor.fetchmany(MOST_ROWS + 1)
    if len(found) > MOST_ROWS:
        raise TooManyRows("Ask for a shorter time, larger steps or fewer groups.")
    return found


@lru_cache(maxsize=256)
def _statement(table: str, granularity: str, group_by: tuple[str, ...], filters: tuple[str, ...]) -> str:
    step: sql.Composable = sql.SQL("NULL::timestamptz")
    if granularity != "total":
        step = sql.SQL("date_trunc({}, usage.starts_at, 'UTC')").format(sql.Literal(granularity))
    columns = [sql.Identifier(_table_of(name), GROUPS[name][0]) for name in group_by]
    conditions = [
        sql.SQL("usage.{} = {}").format(sql.Identifier(GROUPS[name][0]), sql.Placeholder(name))
        for name in filters
    ]
    statement = sql.SQL(
        """SELECT {keys}, usage.combination_id, {sums}
        FROM {table} AS usage {tiers}
        WHERE usage.organization_id = %(organization)s AND usage.starts_at >= %(start)s AND usage.starts_at < %(end)s {filters}
        GROUP BY {keys}, usage.combination_id
        HAVING sum(usage.events) > 0
        ORDER BY {keys}"""
    ).format(
        keys=sql.SQL(", ").join([step, *columns]),
        sums=sql.SQL(", ".join(f"sum({each})::bigint" for each in SUMS)),
        table=sql.Identifier(table),
        tiers=sql.SQL(TIERS if "tier" in group_by else ""),
        filters=sql.SQL("").join(sql.SQL(" AND ") + condition for condition in conditions),
    )
    return statement.as_string()


def _parameters(question: Question) -> dict[str, Any]:
    values = {name: decode(value) if GROUPS[name][1] else value for name, value in question.filters.items()}
    span = {"organization": decode(question.organization_id), "start": question.start, "end": question.end}
    return span | values


def _table_of(group: str) -> str:
    return "combination" if group == "tier" else "usage"


def is_by_days(start: datetime, end: datetime, now: datetime) -> bool:
    """Days answer where the span is whole days; nothing is later than now, so a span that ends now ends with its day."""
    return _is_midnight(start) and (end >= now or _is_midnight(end))


def _is_midnight(instant: datetime) -> bool:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) == instant


def _row(question: Question, key: tuple[Any, ...], parts: list[Part]) -> Row:
    totals = reduce(_added, (sums for _, sums in parts))
    counts = zip(COUNTED, totals[COUNTS], totals[STATED], strict=True)
    energy, central, *means = totals[FIGURES]
    return Row(
        starts_at=key[0],
        group={name: _written(name, value) for name, value in zip(question.group_by, key[1:], strict=True)},
        counts={name: total if stated else None for name, total, stated in counts},
        energy_uwh=energy,
        central_ug=central,
        mean_ug=sum(means),
        bounds_ug=bounds(_portion(name, sums) for name, sums in parts if name),
    )


def _portion(name: UUID, sums: tuple[int, ...]) -> tuple[Spread, dict[str, int]]:
    _, _, *means = sums[FIGURES]
    return spread_of(name), dict(zip(TERMS, means, strict=True))


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(add, one, other))


def _written(group: str, value: Any) -> str | None:
    prefix = GROUPS[group][1]
    return encode(prefix, value) if prefix and value is not None else value


def spread_of(name: UUID) -> Spread:
    """What the figures of a combination are uncertain by."""
    return combination_of(name).combination.spread
