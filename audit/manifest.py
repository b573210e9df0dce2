"""What a frozen period claims of itself, for whoever checks it: names as in a receipt, quantities as texts."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from carbon_site.periods import Period
from emissions.combinations import combination_of
from receipts.canonical import encode, instant

FORMAT = "carbon-pack/1"
Frozen = Any  # a BillingPeriod that is frozen: none of its figures is null


def manifest(period: Frozen) -> bytes:
    """The canonical JSON of all that was fixed when the period was frozen."""
    return encode(
        {
            "format": FORMAT,
            "period": _span(period.span) | {"revision": str(period.revision)},
            "frozenAt": instant(period.frozen_at),
            "sealedAt": _exactly(period.sealed_at),
            "factorSet": {"version": period.factors.version, "sha256": period.factors.sha256},
            "ledger": {"merkleRoot": bytes(period.root).hex(), "rows": str(period.events)},
            "figures": {
                "lowUg": str(period.low_ug),
                "centralUg": str(period.central_ug),
                "highUg": str(period.high_ug),
                "meanUg": str(period.mean_ug),
                "energyUwh": str(period.energy_uwh),
            },
            "combinations": [_combination(sums) for sums in period.combinations],
            "coverage": period.coverage,
            "retirement": _retirement(period),
        }
    )


def _span(span: Period) -> dict[str, str]:
    return {"start": instant(span.start), "end": instant(span.end)}


def _exactly(moment: datetime) -> str:
    """To the microsecond: the frozen list is the ledger as of just then."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _combination(sums: dict[str, Any]) -> dict[str, Any]:
    """Its sums, and what it is made of, so that a stranger can make it again."""
    key = combination_of(UUID(sums["combination"])).combination.key
    return {
        "id": sums["combination"],
        "tier": key.tier,
        "mode": key.mode,
        "modelRow": key.model_row,
        "serviceClass": key.service_class,
        "hosting": key.hosting,
        "centralUg": {term: str(figure) for term, figure in sums["central_ug"].items()},
        "meanUg": {term: str(figure) for term, figure in sums["mean_ug"].items()},
        "energyUwh": str(sums["energy_uwh"]),
    }


def _retirement(period: Frozen) -> dict[str, Any]:
    return {
        "basis": period.retire_basis,
        "retireMg": str(period.retire_mg),
        "carriedInMg": str(period.carried_in_mg),
        "carriedOutMg": str(period.carried_out_mg),
        "adjustments": [_adjustment(each) for each in period.adjustments.order_by("month", "since")],
    }


def _adjustment(adjustment: Any) -> dict[str, str]:
    return {
        "month": f"{adjustment.month:%Y-%m}",
        "since": _exactly(adjustment.since),
        "until": _exactly(adjustment.until),
        "centralUg": str(adjustment.central_ug),
        "meanUg": str(adjustment.mean_ug),
        "energyUwh": str(adjustment.energy_uwh),
        "events": str(adjustment.events),
    }
