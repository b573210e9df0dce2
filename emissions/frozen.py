"""What a closed month is frozen with: its ledger rows with their figures line by line, and its sums by combination and term."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateField
from django.db.models.functions import TruncMonth

from carbon_site.ids import decode, encode
from carbon_site.periods import Period
from carbon_site.transactions import transaction_required
from emissions.bounds import Bounds, bounds
from emissions.models import TERMS, CarbonFactors, MonthFactors
from emissions.publish import newest
from emissions.summary import spread_of
from telemetry.models import TelemetryEvent

SQL = files("emissions") / "sql"
FROZEN_LIST, SUMS, CHANGE_SINCE = (
    (SQL / f"{name}.sql").read_text() for name in ("frozen_list", "frozen_sums", "change_since")
)
AT_A_TIME = 2_000  # rows in memory


@dataclass(frozen=True)
class Sums:
    """Of one combination: µg by term, central and mean, and µWh."""

    combination: UUID
    central_ug: dict[str, int]
    mean_ug: dict[str, int]
    energy_uwh: int


@dataclass(frozen=True)
class MonthTotal:
    """A month's figures: what adds, and the interval that is made of the sums by combination."""

    sums: list[Sums]

    @property
    def central_ug(self) -> int:
        return sum(sum(each.central_ug.values()) for each in self.sums)

    @property
    def mean_ug(self) -> int:
        return sum(sum(each.mean_ug.values()) for each in self.sums)

    @property
    def energy_uwh(self) -> int:
        return sum(each.energy_uwh for each in self.sums)

    @property
    def bounds_ug(self) -> Bounds:
        return bounds((spread_of(each.combination), each.mean_ug) for each in self.sums)


@transaction_required
def month_total(organization_id: str, period: Period) -> MonthTotal:
    """The sums of a month as it stands; frozen with it where its ledger is locked."""
    with connection.cursor() as cursor:
        cursor.execute(SUMS, _parameters(organization_id, period))
        return MonthTotal([_sums(row) for row in cursor.fetchall()])


def row_count(organization_id: str, period: Period) -> int:
    """How many lines the frozen list has."""
    events = TelemetryEvent.objects.for_organization(organization_id).current()
    return int(events.within(period.start, period.end).count())


@transaction_required
def lines(organization_id: str, period: Period, as_of: datetime) -> Iterator[bytes]:
    """The frozen list, line by line without line feeds, in its order: the leaves of the month's Merkle tree.

    `as_of` is when the month was sealed; what came later is not in it.
    """
    with connection.chunked_cursor() as cursor:
        cursor.itersize = AT_A_TIME  # type: ignore[attr-defined]  # psycopg's server-side cursor has it
        cursor.execute(FROZEN_LIST, _parameters(organization_id, period) | {"as_of": as_of})
        for row in cursor:
            yield line(*row)


def line(
    identity: bytes, revision: int, starts_at: datetime, project: UUID, workload: UUID, *rest: Any
) -> bytes:
    """One ledger row with its figures: a JSON array without spaces. Integers are numbers, what is absent is null."""
    start = starts_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    words = [str(value) if isinstance(value, UUID) else value for value in rest]
    row = [bytes(identity).hex(), revision, start, encode("prj", project), encode("wkl", workload), *words]
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode()


@transaction_required
def factors_of_month(organization_id: str, month: date) -> CarbonFactors:
    """The set that a month is calculated with; an empty month that has none takes the newest, and keeps it."""
    rows = MonthFactors.objects.for_organization(organization_id)
    rows = rows.select_related("factors").defer("factors__document")
    row, _ = rows.get_or_create(organization_id=organization_id, month=month, defaults={"factors": newest})
    return row.factors


def _parameters(organization_id: str, period: Period) -> dict[str, Any]:
    return {"organization": decode(organization_id), "start": period.start, "end": period.end}


def _sums(row: tuple[Any, ...]) -> Sums:
    combination, energy, *parts = row
    central, mean = parts[: len(TERMS)], parts[len(TERMS) :]
    return Sums(
        combination, dict(zip(TERMS, central, strict=True)), dict(zip(TERMS, mean, strict=True)), energy
    )


@dataclass(frozen=True)
class Change:
    """What a month's figures changed by between two instants of its ledger; each may be negative."""

    energy_uwh: int
    central_ug: int
    mean_ug: int
    events: int


def change_since(organization_id: str, period: Period, since: datetime, until: datetime) -> Change:
    """The ledger as of `until` against the ledger as of `since`."""
    with connection.cursor() as cursor:
        cursor.execute(CHANGE_SINCE, _parameters(organization_id, period) | {"since": since, "until": until})
        return Change(*cursor.fetchone())


def months_changed_since(organization_id: str, since: datetime) -> set[date]:
    """The months of usage that was observed after an instant: by the time of observation, so it costs what is new."""
    events = TelemetryEvent.objects.for_organization(organization_id).filter(observed_at__gt=since)
    months = events.values_list(TruncMonth("starts_at", output_field=DateField()), flat=True)
    return set(months.distinct())
