"""Factors, and the figures made with them."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from carbon_site.ids import PrefixedIdField
from emissions import methodology
from projects.tenancy import OrganizationOwned, OrganizationQuerySet
from telemetry.models import Heavy

TERMS = methodology.TERMS["event"]
STATISTICS = ("central", "mean")
COUNTED = ("input_uncached", "cache_read", "cache_write", "cache_write_long", "output", "requests")


def columns(cls: type[models.Model], names: list[str], make: Any) -> None:
    """Add one column a name to a model: `central_output_ug`, `known_requests`."""
    for name in names:
        cls.add_to_class(name, make())


class CarbonFactors(models.Model):
    """A published set of factors, with its model and hosting rows: one document, named by its hash, and final."""

    id = PrefixedIdField("fac")
    version = models.CharField(max_length=40, unique=True, editable=False)
    sha256 = models.CharField(
        max_length=64, unique=True, editable=False, help_text="over the document's canonical JSON"
    )
    document = models.TextField(editable=False, help_text="canonical JSON (RFC 8785)")
    published_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name_plural = "carbon factors"
        constraints = [
            models.CheckConstraint(name="factors_have_a_hash", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
        ]

    def __str__(self) -> str:
        return self.version


class FactorCombination(models.Model):
    """All that decides a row's rates, and the rates: whole numbers scaled by 10^18, of µg CO2e and µWh a unit of activity.

    Made when first met, from its set alone; its id is the hash of what it is made of.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    factors = models.ForeignKey(CarbonFactors, models.PROTECT, related_name="+", editable=False)
    tier = models.CharField(max_length=20, editable=False)
    mode = models.CharField(max_length=6, editable=False)
    model_row = models.PositiveIntegerField(editable=False, help_text="its order in the set")
    service_class = models.CharField(max_length=20, editable=False)
    hosting = models.CharField(max_length=120, editable=False, help_text="the hosting row's id")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="a_combination_is_made_once",
                fields=["factors", "tier", "mode", "model_row", "service_class", "hosting"],
            ),
        ]


columns(
    FactorCombination,
    [f"{kind}_{term}" for kind in (*STATISTICS, "energy") for term in TERMS],
    lambda: models.DecimalField(max_digits=40, decimal_places=0, editable=False),
)


class MonthFactors(OrganizationOwned):
    """Which set a month of an organisation is calculated with. A sealed month keeps it for ever."""

    month = models.DateField(editable=False)
    factors = models.ForeignKey(CarbonFactors, models.PROTECT, related_name="+", editable=False)

    class Meta(OrganizationOwned.Meta):
        verbose_name_plural = "factors of months"
        constraints = [
            models.UniqueConstraint(name="a_month_has_one_set", fields=["organization", "month"]),
            models.CheckConstraint(name="month_of_factors_is_a_first_day", condition=Q(month__day=1)),
        ]


class CalculationQuerySet(OrganizationQuerySet):
    def current(self) -> Self:
        return self.filter(superseded_at=None)


class CarbonCalculation(Heavy):
    """The energy and carbon of one event, by term. Only `superseded_at` is ever written again; a total is the sum of its parts."""

    id = PrefixedIdField("cal")
    event_id = PrefixedIdField("evt", primary_key=False)
    combination_id = models.UUIDField(editable=False)
    observed_at = models.DateTimeField(editable=False)
    superseded_at = models.DateTimeField(null=True, editable=False)
    energy_uwh = models.BigIntegerField(editable=False)

    unscoped: ClassVar[Any] = CalculationQuerySet.as_manager()

    class Meta(Heavy.Meta):
        constraints = [
            models.UniqueConstraint(
                name="one_current_calculation_an_event",
                fields=["organization", "starts_at", "event_id"],
                condition=Q(superseded_at=None),
            ),
        ]


PARTS = [f"{kind}_{term}_ug" for kind in STATISTICS for term in TERMS]
columns(CarbonCalculation, PARTS, lambda: models.BigIntegerField(editable=False))


class UsageRollUp(Heavy):
    """Sums of current events and their calculations. A `known_` column counts the events that state that count at all."""

    id = models.UUIDField(primary_key=True, editable=False)
    project_id = PrefixedIdField("prj", primary_key=False)
    workload_id = PrefixedIdField("wkl", primary_key=False)
    connection_id = PrefixedIdField("con", primary_key=False, null=True)
    provider = models.CharField(max_length=20, editable=False)
    model = models.CharField(max_length=300, null=True, editable=False)
    service_tier = models.CharField(max_length=300, null=True, editable=False)
    family = models.CharField(max_length=40, editable=False)
    combination_id = models.UUIDField(null=True, editable=False, help_text="null: counted, not estimated")
    events = models.BigIntegerField(editable=False)
    energy_uwh = models.BigIntegerField(editable=False)

    class Meta(Heavy.Meta):
        abstract = True


KEY = [
    "organization", "starts_at", "project_id", "workload_id", "connection_id", "provider", "model", "service_tier",
    "family", "combination_id",
]  # fmt: skip
SUMS = [*COUNTED, *(f"known_{name}" for name in COUNTED), *PARTS]


class UsageHour(UsageRollUp):
    """The sums of one UTC hour."""

    class Meta(UsageRollUp.Meta):
        constraints = [models.UniqueConstraint(name="usage_hour_is_alone", fields=KEY, nulls_distinct=False)]


class UsageDay(UsageRollUp):
    """The sums of one UTC day, written in the same statement as its hours."""

    class Meta(UsageRollUp.Meta):
        constraints = [models.UniqueConstraint(name="usage_day_is_alone", fields=KEY, nulls_distinct=False)]


for roll_up in (UsageHour, UsageDay):
    columns(roll_up, SUMS, lambda: models.BigIntegerField(editable=False))
