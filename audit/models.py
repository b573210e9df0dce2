"""Packs of closed months."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.models import BillingPeriod
from carbon_site.ids import PrefixedIdField
from projects.tenancy import OrganizationOwned

BUILT = ("sha256", "size", "built_at")


class AuditPack(OrganizationOwned):
    """All from which a stranger recomputes a closed period, as one zip. Ordered once; once it is built, it is final."""

    id = PrefixedIdField("aud")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="packs", editable=False)
    ordered_at = models.DateTimeField(db_default=Now(), editable=False)
    sha256 = models.CharField(
        max_length=64, null=True, editable=False, help_text="of the zip; null: not built yet"
    )
    size = models.PositiveBigIntegerField(null=True, editable=False, help_text="bytes")
    built_at = models.DateTimeField(null=True, editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(name="a_period_has_one_pack", fields=["period"]),
            models.CheckConstraint(
                name="a_pack_is_built_as_a_whole",
                condition=Q(**{f"{name}__isnull": True for name in BUILT})
                | Q(**{f"{name}__isnull": False for name in BUILT}),
            ),
            models.CheckConstraint(
                name="a_pack_has_a_hash",
                condition=Q(sha256__isnull=True) | Q(sha256__regex=r"^[0-9a-f]{64}$"),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_ready(self) -> bool:
        return self.sha256 is not None

    @property
    def path(self) -> str:
        """Where it lies in the object storage, once it is built."""
        return stored_path(self.organization_id, str(self.sha256))

    @property
    def file_name(self) -> str:
        """What it is called on the disk of whoever downloads it."""
        return f"carbon-pack-{self.period.month:%Y-%m}.zip"


def stored_path(organization_id: Any, sha256: str) -> str:
    return f"packs/{organization_id}/{sha256}.zip"
