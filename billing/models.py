"""Accounting periods: open while usage may still arrive, then frozen, for ever."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from carbon_site.ids import PrefixedIdField
from carbon_site.periods import Period
from emissions.models import CarbonFactors
from projects.tenancy import OrganizationOwned, OrganizationQuerySet

FIGURES = ["frozen_at", "sealed_at", "factors", "central_ug", "mean_ug", "low_ug", "high_ug", "energy_uwh", "root", "events",
           "combinations", "coverage", "retire_basis", "retire_mg", "carried_in_mg", "carried_out_mg"]  # fmt: skip


def null(fields: Iterable[str], is_null: bool) -> Q:
    return Q(**{f"{field}__isnull": is_null for field in fields})


class BillingPeriodQuerySet(OrganizationQuerySet):
    def open(self) -> Self:
        return self.filter(state=BillingPeriod.State.OPEN)

    def due(self, now: datetime) -> Self:
        """Open, and settled: whoever comes later comes as an adjustment."""
        return self.open().filter(month__lt=(now - settings.CLOSE_PERIOD_AFTER).date().replace(day=1))


class BillingPeriod(OrganizationOwned):
    """One organisation's UTC calendar month. Once frozen, its figures stand, and its ledger rows by their Merkle root."""

    class State(models.TextChoices):
        OPEN = "open"
        FROZEN = "frozen"
        AWAITING_PAYMENT = "awaiting_payment"
        ALLOCATED = "allocated"
        WAITING_SUPPLY = "waiting_supply"
        RECEIPTED = "receipted"
        SETTLED = "settled"

    id = PrefixedIdField("per")
    month = models.DateField(editable=False)
    revision = models.PositiveSmallIntegerField(default=1, editable=False)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN, editable=False)
    frozen_at = models.DateTimeField(null=True, editable=False)
    sealed_at = models.DateTimeField(
        null=True, editable=False, help_text="the frozen list is the ledger as of then"
    )
    factors = models.ForeignKey(CarbonFactors, models.PROTECT, null=True, related_name="+", editable=False)
    central_ug = models.BigIntegerField(null=True, editable=False)
    mean_ug = models.BigIntegerField(null=True, editable=False)
    low_ug = models.BigIntegerField(null=True, editable=False)
    high_ug = models.BigIntegerField(null=True, editable=False)
    energy_uwh = models.BigIntegerField(null=True, editable=False)
    root = models.BinaryField(
        max_length=32, null=True, editable=False, help_text="RFC 6962, over the frozen list"
    )
    events = models.PositiveBigIntegerField(null=True, editable=False, help_text="in the frozen list")
    combinations = models.JSONField(
        null=True, editable=False, help_text="sums by combination and term, from which the bounds are"
    )
    coverage = models.JSONField(null=True, editable=False)
    retire_basis = models.CharField(max_length=8, null=True, editable=False)
    retire_mg = models.BigIntegerField(
        null=True, editable=False, help_text="with what was carried in, rounded up"
    )
    carried_in_mg = models.BigIntegerField(null=True, editable=False)
    carried_out_mg = models.BigIntegerField(null=True, editable=False)

    unscoped: ClassVar[Any] = BillingPeriodQuerySet.as_manager()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(name="period_is_alone", fields=["organization", "month", "revision"]),
            models.CheckConstraint(name="period_month_is_a_first_day", condition=Q(month__day=1)),
            models.CheckConstraint(
                name="period_has_figures_exactly_when_frozen",
                condition=Q(state="open") & null(FIGURES, True) | ~Q(state="open") & null(FIGURES, False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"

    @property
    def span(self) -> Period:
        return Period.month(self.month.year, self.month.month)

    @property
    def closes_at(self) -> datetime:
        """From then on it is due."""
        return self.span.end + settings.CLOSE_PERIOD_AFTER

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class PriorPeriodAdjustment(OrganizationOwned):
    """What a sealed month came to be worth after its seal: the ledger as of `since` against the ledger as of `until`.

    It is taken into the period that is open; the month itself stays as it was frozen.
    """

    id = PrefixedIdField("adj")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="adjustments", editable=False)
    month = models.DateField(editable=False)
    since = models.DateTimeField(editable=False)
    until = models.DateTimeField(editable=False)
    central_ug = models.BigIntegerField(editable=False)
    mean_ug = models.BigIntegerField(editable=False)
    energy_uwh = models.BigIntegerField(editable=False)
    events = models.PositiveBigIntegerField(editable=False, help_text="that changed")

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                name="an_adjustment_is_made_once", fields=["organization", "month", "since"]
            ),
            models.CheckConstraint(
                name="an_adjustment_goes_forward", condition=Q(until__gt=models.F("since"))
            ),
        ]

    @property
    def span(self) -> Period:
        """The month that changed."""
        return Period.month(self.month.year, self.month.month)
