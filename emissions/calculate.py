"""What follows from a change of the ledger: calculations and roll-ups, in the same transaction.

The rows of one kind (month, provider, family, model, tier, region, requests known or not) share a combination of factors. It is
found in Python, once a kind; the rows are calculated in SQL.
"""

import hashlib
import json
from datetime import date, datetime
from importlib.resources import files
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from carbon_site.ids import decode
from carbon_site.transactions import transaction_required
from emissions.factor_set import FactorSet, signal_of
from emissions.methodology import Combination
from emissions.models import TERMS, CarbonFactors, FactorCombination, MonthFactors
from emissions.publish import factor_set, newest

SQL = files("emissions") / "sql"
STAGING, CALCULATE, ROLL_UP = (
    (SQL / f"{name}.sql").read_text() for name in ("staging", "calculate", "roll_up")
)
KINDS = """
SELECT DISTINCT date_trunc('month', starts_at AT TIME ZONE 'UTC')::date, provider, family, model, service_tier, region,
       coalesce(requests >= 1, false)
FROM ledger_change
WHERE unit IS NULL
"""
NULL = "\x01"  # stands for null in a join; clean text holds no control character


class Kind(NamedTuple):
    """What the rows of one combination have in common."""

    month: date
    provider: str
    family: str
    model: str | None
    service_tier: str | None
    region: str | None
    is_event: bool


@transaction_required
def calculate(*, organization_id: str, observed_at: datetime, span: tuple[datetime, datetime]) -> None:
    """Calculate and roll up the rows of `ledger_change`, which stands in this transaction."""
    parameters: dict[str, Any] = {
        "organization": decode(organization_id), "observed_at": observed_at, "start": span[0], "end": span[1],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(STAGING)
        cursor.execute(KINDS)
        kinds = [Kind(*row) for row in cursor.fetchall()]
        _stage_combinations(cursor, organization_id, kinds)
        cursor.execute(CALCULATE, parameters)
        cursor.execute(ROLL_UP, parameters)


def _stage_combinations(cursor: Any, organization_id: str, kinds: list[Kind]) -> None:
    sets = _sets_of_months(organization_id, {kind.month for kind in kinds})
    found = {
        kind: combination
        for kind in kinds
        if (combination := _combination(factor_set(sets[kind.month]), kind))
    }
    names = {
        kind: combination_id(sets[kind.month].sha256, combination) for kind, combination in found.items()
    }
    _make_missing({names[kind]: (sets[kind.month], combination) for kind, combination in found.items()})
    with cursor.copy("COPY combination_of FROM STDIN") as copy:
        for kind, name in names.items():
            words = [NULL if word is None else word for word in kind[1:6]]
            copy.write_row((kind.month, *words, "event" if kind.is_event else "bucket", name))


def _sets_of_months(organization_id: str, months: set[date]) -> dict[date, CarbonFactors]:
    """The set that each month is calculated with: the newest, for a month that has none yet."""
    rows = MonthFactors.objects.for_organization(organization_id)
    sets = {row.month: row.factors for row in rows.filter(month__in=months).select_related("factors")}
    if missing := months - sets.keys():
        chosen = newest()
        rows.bulk_create(
            MonthFactors(organization_id=organization_id, month=month, factors=chosen) for month in missing
        )
        sets |= dict.fromkeys(missing, chosen)
    return sets


def _combination(factors: FactorSet, kind: Kind) -> Combination | None:
    return factors.combination(
        provider=kind.provider,
        model=kind.model,
        signal=signal_of(kind.provider, kind.region),
        service_tier=kind.service_tier,
        requests=1 if kind.is_event else None,
    )


def combination_id(sha256: str, combination: Combination) -> UUID:
    """The name of a combination: the first 128 bits of the SHA-256 of what it is made of."""
    text = json.dumps([sha256, *combination.key], separators=(",", ":"))
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def _make_missing(combinations: dict[UUID, tuple[CarbonFactors, Combination]]) -> None:
    known = set(FactorCombination.objects.filter(pk__in=combinations).values_list("pk", flat=True))
    FactorCombination.objects.bulk_create(
        [_row(name, *parts) for name, parts in combinations.items() if name not in known],
        ignore_conflicts=True,
    )


def _row(name: UUID, factors: CarbonFactors, combination: Combination) -> FactorCombination:
    rates = {
        f"{kind}_{term}": getattr(combination.rates[term], kind) if term in combination.rates else 0
        for kind in ("central", "mean", "energy")
        for term in TERMS
    }
    return FactorCombination(pk=name, factors=factors, **combination.key._asdict(), **rates)
