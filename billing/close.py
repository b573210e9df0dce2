"""The close: each settled month of an organisation is frozen once, oldest first, and what comes later becomes an adjustment."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime

from django.db.models import Max, Sum

from billing.models import BillingPeriod, PriorPeriodAdjustment
from billing.services import lock_period
from billing.signals import period_frozen
from carbon_site import merkle
from carbon_site.ids import new_id
from carbon_site.periods import Period
from carbon_site.problems import Problem
from carbon_site.transactions import transaction, transaction_required
from connections.models import ProviderConnection
from emissions import frozen
from projects.entitlements import lock_organization
from projects.models import Organization
from telemetry.coverage import coverage
from telemetry.ledger import open_ledger
from telemetry.models import Ledger, SealedMonth
from telemetry.services import seal_month

MICROGRAMS = 1000  # in a milligram
BASES: dict[str, Callable[[frozen.MonthTotal], float]] = {
    "mean": lambda total: total.mean_ug,
    "central": lambda total: total.central_ug,
    "high": lambda total: total.bounds_ug.high,
}


class PeriodNotDue(Problem):
    """The period is not due to close yet."""

    status = 409


def close(*, organization_id: str, now: datetime, observed_at: datetime | None = None) -> int:
    """Make the periods that are missing, note what came after a seal, and freeze what is due, which takes that in.

    Answers with how many were frozen; none while a new connection is being read for the first time. Safe to run again at any point. `observed_at` is given only by `job --now`.
    """
    make_periods(organization_id=organization_id, now=now)
    note_adjustments(organization_id=organization_id, observed_at=observed_at)
    if ProviderConnection.objects.for_organization(organization_id).being_read_first(now).exists():
        return 0  # a month that is being read would freeze without what comes in the next minute
    due = BillingPeriod.objects.for_organization(organization_id).due(now).order_by("month", "revision")
    ids = list(due.values_list("pk", flat=True))
    for period_id in ids:
        freeze(organization_id=organization_id, period_id=period_id, now=now, observed_at=observed_at)
    return len(ids)


@transaction
def make_periods(*, organization_id: str, now: datetime) -> None:
    """A period for each month from the first of the ledger, or this one, to this one, without gaps."""
    lock_organization(organization_id)
    periods = BillingPeriod.objects.for_organization(organization_id)
    this = Period.containing(now).first_day
    ledger = Ledger.objects.for_organization(organization_id).first()
    there = set(periods.values_list("month", flat=True))
    first = min(filter(None, [this, ledger and ledger.first_month, *there]))
    span = Period(Period.month(first.year, first.month).start, Period.containing(now).end)
    missing = [month.first_day for month in span.months() if month.first_day not in there]
    periods.bulk_create(
        BillingPeriod(pk=new_id("per"), organization_id=organization_id, month=month) for month in missing
    )


@transaction
def freeze(
    *, organization_id: str, period_id: str, now: datetime, observed_at: datetime | None = None
) -> BillingPeriod:
    """Fix a period's figures, for ever, and seal its month. Freezing a frozen period changes nothing.

    Raises PeriodNotDue before the settling time has passed.
    """
    period = lock_period(organization_id=organization_id, period_id=period_id)
    if not period.is_open:
        return period
    if now < period.closes_at:
        raise PeriodNotDue(f"{period.pk} closes at {period.closes_at:%Y-%m-%d %H:%M} UTC.")
    sealed_at = seal_month(organization_id=organization_id, month=period.month, now=observed_at)
    _fix(period, frozen.month_total(organization_id, period.span), sealed_at, now)
    period.save()
    period_frozen.announce(period)
    return period


@transaction_required
def _fix(period: BillingPeriod, total: frozen.MonthTotal, sealed_at: datetime, now: datetime) -> None:
    organization = Organization.objects.get(pk=period.organization_id)
    period.state, period.frozen_at, period.sealed_at = BillingPeriod.State.FROZEN, now, sealed_at
    period.factors = frozen.factors_of_month(period.organization_id, period.month)
    period.central_ug, period.mean_ug, period.energy_uwh = total.central_ug, total.mean_ug, total.energy_uwh
    period.low_ug, period.high_ug = (round(bound) for bound in total.bounds_ug)
    period.root = merkle.root_of(frozen.lines(period.organization_id, period.span, sealed_at))
    period.events = frozen.row_count(period.organization_id, period.span)
    period.combinations = [asdict(sums) | {"combination": str(sums.combination)} for sums in total.sums]
    period.coverage = asdict(coverage(period.organization_id, period.span.start, period.span.end, now))
    period.retire_basis = organization.retire_basis
    _decide_retirement(period, round(BASES[period.retire_basis](total)))


def _decide_retirement(period: BillingPeriod, own_ug: int) -> None:
    """What is retired: the basis, what adjustments add, and what was carried; never less than was emitted, never below nothing."""
    frozen_before = BillingPeriod.objects.for_organization(period.organization_id).exclude(
        state=BillingPeriod.State.OPEN
    )
    last = frozen_before.order_by("-sealed_at").first()  # not the month before: an older one may appear later
    period.carried_in_mg = last.carried_out_mg if last else 0
    later_ug = period.adjustments.aggregate(total=Sum("mean_ug"))["total"] or 0
    total_ug = own_ug + later_ug + period.carried_in_mg * MICROGRAMS
    total_mg = -(-total_ug // MICROGRAMS)  # rounded up
    period.retire_mg, period.carried_out_mg = max(0, total_mg), min(0, total_mg)


@transaction
def note_adjustments(*, organization_id: str, observed_at: datetime | None = None) -> int:
    """What each sealed month changed by since its seal, or its last adjustment, into the period that is open now.

    Answers with how many there were. What did not change is not noted.
    """
    lock_organization(organization_id)
    until = open_ledger(organization_id, observed_at)
    period = _open_period(organization_id)
    watched = _watched(organization_id)
    touched = frozen.months_changed_since(organization_id, min(watched.values(), default=until))
    made = [
        _adjustment(organization_id, period, month, since, until)
        for month, since in watched.items()
        if month in touched
    ]
    changed = [adjustment for adjustment in made if adjustment.events]
    PriorPeriodAdjustment.objects.for_organization(organization_id).bulk_create(changed)
    return len(changed)


def _watched(organization_id: str) -> dict[date, datetime]:
    """Each sealed month, with the instant from which on its changes are not noted yet."""
    seals = SealedMonth.objects.for_organization(organization_id).values_list("month", "observed_at")
    notes = (
        PriorPeriodAdjustment.objects.for_organization(organization_id)
        .values("month")
        .annotate(last=Max("until"))
    )
    return dict(seals) | {note["month"]: note["last"] for note in notes}


def _open_period(organization_id: str) -> BillingPeriod:
    """The oldest one that is open: the next to be frozen."""
    return BillingPeriod.objects.for_organization(organization_id).open().earliest("month")


def _adjustment(
    organization_id: str, period: BillingPeriod, month: date, since: datetime, until: datetime
) -> PriorPeriodAdjustment:
    change = frozen.change_since(organization_id, Period.month(month.year, month.month), since, until)
    return PriorPeriodAdjustment(
        pk=new_id("adj"),
        organization_id=organization_id,
        period=period,
        month=month,
        since=since,
        until=until,
        **asdict(change),
    )
