"""Credits that were retired at a registry, and whose milligrams are whose."""

import hashlib
from uuid import UUID

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now

from billing.models import BillingPeriod
from carbon_site.ids import uuid7
from projects.tenancy import OrganizationOwned

MILLIGRAMS_A_TONNE = 10**9


def alone(column: str) -> Func:
    """A uuid as a range of itself, so that it can be compared for equality in a GiST index without an extension."""
    return Func(column, column, Value("[]"), function="uuidrange")


class CreditBatch(models.Model):
    """Credits of one project and vintage that a registry has retired, and how many of their milligrams are allocated."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    registry = models.CharField(max_length=60, editable=False)
    project = models.CharField(max_length=120, editable=False, help_text="the registry's id of the project")
    project_name = models.CharField(max_length=200, editable=False)
    country = models.CharField(max_length=2, editable=False)
    kind = models.CharField(max_length=20, editable=False, help_text="reduction or removal")
    vintage = models.PositiveSmallIntegerField(editable=False)
    block = models.CharField(
        max_length=200, editable=False, help_text="what the registry's serial numbers begin with"
    )
    block_id = models.UUIDField(editable=False, help_text="of registry and block, made of their hash")
    serials = BigIntegerRangeField(editable=False, help_text="serial numbers within the block, one a tonne")
    retired_on = models.DateField(editable=False)
    beneficiary = models.CharField(max_length=200, editable=False)
    evidence_url = models.URLField(editable=False, help_text="the registry's own record")
    evidence_sha256 = models.CharField(max_length=64, editable=False)
    is_demonstration = models.BooleanField(editable=False, help_text="no registry knows it")
    allocated_mg = models.BigIntegerField(default=0, editable=False)
    loaded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="a_serial_is_loaded_once",
                expressions=[(alone("block_id"), RangeOperators.EQUAL), ("serials", RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                name="batch_kind_is_known", condition=Q(kind__in=["reduction", "removal"])
            ),
            models.CheckConstraint(
                name="batch_evidence_is_a_hash", condition=Q(evidence_sha256__regex=r"^[0-9a-f]{64}$")
            ),
            models.CheckConstraint(
                name="no_more_is_allocated_than_retired",
                condition=Q(allocated_mg__gte=0)
                & Q(
                    allocated_mg__lte=(
                        Func(F("serials"), function="upper") - Func(F("serials"), function="lower")
                    )
                    * MILLIGRAMS_A_TONNE
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.registry} {self.project} {self.vintage}"

    @property
    def retired_mg(self) -> int:
        return (self.serials.upper - self.serials.lower) * MILLIGRAMS_A_TONNE

    @property
    def free_mg(self) -> int:
        return self.retired_mg - self.allocated_mg


def block_id(registry: str, block: str) -> UUID:
    """The name of a registry's block of serial numbers."""
    return UUID(bytes=hashlib.sha256(f"{registry}\n{block}".encode()).digest()[:16])


class Allocation(OrganizationOwned):
    """An interval of a batch's milligrams, [from, to), that was retired for one period. The database refuses an overlap."""

    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="allocations", editable=False)
    batch = models.ForeignKey(CreditBatch, models.PROTECT, related_name="+", editable=False)
    span = BigIntegerRangeField(editable=False)
    allocated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            ExclusionConstraint(
                name="a_milligram_is_allocated_once",
                expressions=[(alone("batch_id"), RangeOperators.EQUAL), ("span", RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                name="an_allocation_is_an_interval",
                condition=Q(
                    span__isempty=False, span__lower_inf=False, span__upper_inf=False, span__startswith__gte=0
                ),
            ),
        ]

    @property
    def mg(self) -> int:
        return self.span.upper - self.span.lower
