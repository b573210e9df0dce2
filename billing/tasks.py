"""Closing settled months: every hour, organisation by organisation."""

from datetime import datetime

from django.utils import timezone

from billing.close import close
from carbon_site.sweeps import Sweep
from carbon_site.tasks import shared_task
from projects.models import Organization


def organizations(now: datetime) -> list[tuple[str, str]]:
    """Every one: which months it lacks, only its own step sees."""
    return [(pk, pk) for pk in Organization.objects.order_by("pk").values_list("pk", flat=True)]


@shared_task(name="billing.close")
def close_organization(organization_id: str, row_id: str, *, now: datetime | None = None) -> None:
    """Freeze what is due of one organisation. `now` is given only by `job --now`, and is the ledger's time too."""
    close(organization_id=organization_id, now=now or timezone.now(), observed_at=now)


CLOSES = Sweep("close", organizations, close_organization)


@shared_task(name="billing.close_periods")
def close_periods() -> None:
    """Hourly: acts on months whose end is 48 hours past."""
    CLOSES.enqueue(timezone.now())
