"""What the receipt of a period says: the frozen figures, the use behind them, and what was retired for them."""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

from django.db.models import Sum

from carbon_site.units import EXACT
from emissions.combinations import combination_of
from emissions.factor_set import FactorSet
from emissions.methodology import Combination
from emissions.publish import factor_set
from projects.models import Organization
from receipts import receipt
from receipts.document import commitment
from receipts.models import Allocation
from telemetry.models import TelemetryEvent

CLASSES = ("input_uncached", "cache_read", "cache_write", "cache_write_long", "output", "requests")
KINDS = ("provider", "model", "service_tier", "region", "unit")
ANY_MODEL = "unnamed"
Frozen = Any  # a BillingPeriod that is frozen: none of its figures is null
DEMONSTRATION = "Demonstration: no registry knows these credits, and nothing was retired."
SOURCES = {TelemetryEvent.Source.REPORTED: "provider", TelemetryEvent.Source.DECLARED: "customer"}


def subject(
    period: Frozen, allocations: list[Allocation], *, customer: Organization, salt: bytes, number: str
) -> receipt.Subject:
    """All that the receipt states. Its figures are those of the freeze; nothing is calculated anew but their split."""
    uses = list(_uses(period))
    factors = factor_set(period.factors)
    return receipt.Subject(
        receipt_number=number,
        period=period.span,
        customer=receipt.Customer(
            commitment=commitment(salt, customer.name), public_name=customer.public_name or None
        ),
        activity=receipt.Activity(
            total=_total(uses), coverage=_coverage(period, factors, uses), models=tuple(uses)
        ),
        energy=receipt.Energy(it_uwh=_it_energy(period), facility_uwh=period.energy_uwh),
        emissions=_emissions(period),
        factor_set=receipt.FactorSet(version=factors.version, sha256=factors.sha256),
        ledger=receipt.Ledger(merkle_root=bytes(period.root).hex(), rows=period.events),
        credits=_credits(period, allocations),
    )


def _uses(period: Frozen) -> Iterable[receipt.ModelUse]:
    """The use of each model in the frozen list, by tier, region and source."""
    events = TelemetryEvent.objects.for_organization(period.organization_id).as_of(period.sealed_at)
    within = events.within(period.span.start, period.span.end)
    rows = within.values("source", *KINDS).annotate(
        **{f"sum_{name}": Sum(name) for name in (*CLASSES, "quantity")}
    )
    for row in rows.order_by("source", *KINDS):
        counts = {name: row[f"sum_{name}"] for name in (*CLASSES, "quantity")}
        known = {name: row[name] for name in ("provider", "service_tier", "region", "unit")}
        yield receipt.ModelUse(
            model=row["model"] or ANY_MODEL, source=SOURCES[row["source"]], **known, **counts
        )


def _total(uses: list[receipt.ModelUse]) -> receipt.Tokens:
    """Of all uses: a class is not known where no provider says it."""
    sums: dict[str, int | None] = {}
    for name in CLASSES:
        said = [count for use in uses if (count := getattr(use, name)) is not None]
        sums[name] = sum(said) if said else None
    return receipt.Tokens(**sums)


def _coverage(period: Frozen, factors: FactorSet, uses: list[receipt.ModelUse]) -> receipt.Coverage:
    default, left_out = [], []
    for use in uses:
        match = factors.model(use.model)
        said = receipt.Uncounted(label=use.model, tokens=_tokens(use))
        if use.unit is not None or not match.tier:
            left_out.append(said)
        elif match.row is factors.unmapped:
            default.append(said)
    return receipt.Coverage(
        hours_expected=period.coverage["expected"],
        hours_observed=period.coverage["observed"],
        hours_reconciled=0,  # until there is a reconciliation
        unmapped_models=tuple(default),
        not_estimated=tuple(left_out),
    )


def _tokens(use: receipt.ModelUse) -> int:
    return sum(getattr(use, name) or 0 for name in ("input_uncached", "cache_read", "cache_write", "output"))


def _combinations(period: Frozen) -> Iterable[tuple[Combination, dict[str, Any]]]:
    """Each combination of the frozen sums, with its sums."""
    for sums in period.combinations:
        yield combination_of(UUID(sums["combination"])).combination, sums


def _it_energy(period: Frozen) -> int:
    """Of the machines alone: each combination's energy without the overhead of its data centre."""
    with localcontext(EXACT):
        parts = [sums["energy_uwh"] / combination.pue.value for combination, sums in _combinations(period)]
        return int(sum(parts, Decimal(0)).to_integral_value())


def _emissions(period: Frozen) -> receipt.Emissions:
    embodied = _embodied(period)
    return receipt.Emissions(
        low_ug=period.low_ug,
        central_ug=period.central_ug,
        high_ug=period.high_ug,
        mean_ug=period.mean_ug,
        electricity_central_ug=period.central_ug - embodied,
        embodied_central_ug=embodied,
    )


def _embodied(period: Frozen) -> int:
    """The central part that stands for hardware; in one combination it is the same share of every term."""
    with localcontext(EXACT):
        total = Decimal(0)
        for combination, sums in _combinations(period):
            of_hardware, of_use = combination.embodied.value, combination.pue.value * combination.grid.value
            total += sum(sums["central_ug"].values()) * of_hardware / (of_use + of_hardware)
        return int(total.to_integral_value())


def _credits(period: Frozen, allocations: list[Allocation]) -> receipt.Credits:
    return receipt.Credits(
        basis=period.retire_basis,
        required_mg=period.retire_mg,
        retired_mg=sum(allocation.mg for allocation in allocations),
        retirements=tuple(_retirement(allocation) for allocation in allocations),
        adjustments=tuple(
            _adjustment(each) for each in period.adjustments.order_by("month", "since") if each.mean_ug
        ),
        carried_in_mg=-period.carried_in_mg or None,
        carried_out_mg=-period.carried_out_mg or None,
    )


def _adjustment(adjustment: Any) -> receipt.Adjustment:
    return receipt.Adjustment(
        period=adjustment.span,
        change="increase" if adjustment.mean_ug > 0 else "decrease",
        mean_ug=abs(adjustment.mean_ug),
    )


def _retirement(allocation: Allocation) -> receipt.Retirement:
    batch = allocation.batch
    return receipt.Retirement(
        batch_sha256=batch.leaf_sha256,
        batch_mg=batch.retired_mg,
        offset_mg=allocation.span.lower,
        length_mg=allocation.mg,
        registry=batch.registry,
        registry_url=batch.evidence_url or None,
        project_id=batch.project,
        project_name=batch.project_name,
        country=batch.country or None,
        credit_type=batch.kind,
        vintage=str(batch.vintage),
        serials=receipt.Serials(
            first=f"{batch.block}-{batch.serials.lower}", last=f"{batch.block}-{batch.serials.upper - 1}"
        ),
        retired_on=batch.retired_on,
        beneficiary=batch.beneficiary,
        evidence_sha256=batch.evidence_sha256,
        reason=DEMONSTRATION if batch.is_demonstration else None,
        demonstration=True if batch.is_demonstration else None,
    )
