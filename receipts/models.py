"""Credits that were retired at a registry, and whose milligrams are whose."""

import hashlib
import json
from typing import Any
from uuid import UUID

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now

from billing.models import BillingPeriod
from carbon_site.ids import PrefixedIdField, uuid7
from projects.tenancy import OrganizationOwned

MILLIGRAMS_A_TONNE = 10**9
HASH = r"^[0-9a-f]{64}$"


def alone(column: str) -> Func:
    """A uuid as a range of itself, so that it can be compared for equality in a GiST index without an extension."""
    return Func(column, column, Value("[]"), function="uuidrange")


class CreditBatch(models.Model):
    """Credits of one project and vintage that a registry has retired, and how many of their milligrams are allocated."""

    class Kind(models.TextChoices):
        REDUCTION = "reduction"
        REMOVAL = "removal"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    registry = models.CharField(max_length=60, editable=False)
    project = models.CharField(max_length=120, editable=False, help_text="the registry's id of the project")
    project_name = models.CharField(max_length=200, editable=False)
    country = models.CharField(max_length=2, blank=True, editable=False)
    kind = models.CharField(max_length=20, choices=Kind, editable=False)
    vintage = models.PositiveSmallIntegerField(editable=False)
    block = models.CharField(
        max_length=200, editable=False, help_text="what the registry's serial numbers begin with"
    )
    block_id = models.UUIDField(editable=False, help_text="of registry and block, made of their hash")
    serials = BigIntegerRangeField(editable=False, help_text="serial numbers within the block, one a tonne")
    retired_on = models.DateField(editable=False)
    beneficiary = models.CharField(max_length=200, editable=False)
    evidence_url = models.URLField(blank=True, editable=False, help_text="the registry's own record")
    evidence_sha256 = models.CharField(max_length=64, validators=[RegexValidator(HASH)], editable=False)
    is_demonstration = models.BooleanField(editable=False, help_text="no registry knows it")
    leaf_index = models.PositiveBigIntegerField(unique=True, editable=False, help_text="in the log")
    leaf_sha256 = models.CharField(max_length=64, editable=False, help_text="by which receipts name it")
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
            models.CheckConstraint(name="batch_evidence_is_a_hash", condition=Q(evidence_sha256__regex=HASH)),
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


def pdf_path(digest: str) -> str:
    """Where the page with this SHA-256 lies in the object storage."""
    return f"receipts/{digest}.pdf"


class CarbonReceipt(OrganizationOwned):
    """A signed receipt of a closed period: the exact bytes that were signed, which are never written again."""

    id = PrefixedIdField("rcp")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="receipts", editable=False)
    number = models.CharField(max_length=20, unique=True, editable=False)
    token = models.CharField(
        max_length=26, unique=True, editable=False, help_text="of its public page; replaceable"
    )
    urn = models.UUIDField(unique=True, editable=False, help_text="its id within the document")
    document = models.TextField(editable=False, help_text="as it was signed")
    jws = models.TextField(editable=False, help_text="the same unsigned document as a compact JWS")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    status_list = models.ForeignKey("receipts.StatusList", models.PROTECT, related_name="+", editable=False)
    status_index = models.PositiveIntegerField(editable=False)
    leaf_index = models.PositiveBigIntegerField(unique=True, editable=False, help_text="in the log")
    salt = models.BinaryField(
        max_length=32, editable=False, help_text="opens the commitment, with the customer's name"
    )
    customer = models.CharField(max_length=120, editable=False)
    pdf_sha256 = models.CharField(
        max_length=64, null=True, editable=False, help_text="of its page, once that is rendered and stored"
    )
    issued_at = models.DateTimeField(editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(name="a_period_has_one_receipt", fields=["period"]),
            models.UniqueConstraint(
                name="a_place_in_the_status_list_is_taken_once", fields=["status_list", "status_index"]
            ),
            models.CheckConstraint(name="a_page_is_named_by_a_hash", condition=Q(pdf_sha256__regex=HASH)),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def signed(self) -> dict[str, Any]:
        """The document, read."""
        return dict(json.loads(self.document))


class StatusList(models.Model):
    """Which receipts are no longer current: one bit each, as a signed credential whose address never changes."""

    number = models.PositiveIntegerField(primary_key=True, editable=False)
    bits = models.BinaryField(editable=False)
    document = models.TextField(editable=False, help_text="as it was signed last")


class SigningKey(models.Model):
    """A public key that receipts were signed with. It stays published when another takes its place."""

    kid = models.CharField(max_length=64, primary_key=True, editable=False)
    raw = models.BinaryField(max_length=32, editable=False)
    first_used_at = models.DateTimeField(db_default=Now(), editable=False)


class LogLeaf(models.Model):
    """A line of the transparency log."""

    index = models.PositiveBigIntegerField(primary_key=True, editable=False)
    body = models.BinaryField(editable=False)


class LogNode(models.Model):
    """The hash of a complete subtree: of the leaves from index x 2^level on, 2^level of them."""

    level = models.PositiveSmallIntegerField(editable=False)
    index = models.PositiveBigIntegerField(editable=False)
    digest = models.BinaryField(max_length=32, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(name="a_subtree_has_one_hash", fields=["level", "index"])]


class LogHead(models.Model):
    """What the log is now: one row, which whoever appends holds."""

    ONLY = 1

    size = models.PositiveBigIntegerField(editable=False)
    root = models.BinaryField(max_length=32, editable=False)
    checkpoint = models.TextField(editable=False, help_text="signed")

    class Meta:
        constraints = [models.CheckConstraint(name="there_is_one_head", condition=Q(pk=1))]
