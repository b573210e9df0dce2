"""Settling frozen periods: at once when one is frozen, and every hour what is left."""

from datetime import datetime

from django.utils import timezone

from billing.models import BillingPeriod
from billing.services import State
from carbon_site.sweeps import Sweep
from carbon_site.tasks import shared_task
from projects.tenancy import every_organization
from receipts.settle import settle


def frozen_periods(now: datetime) -> list[tuple[str, str]]:
    """Those that are frozen, and those that wait for credits; the oldest first."""
    with every_organization("sweep: frozen periods"):
        periods = BillingPeriod.unscoped.filter(state__in=[State.FROZEN, State.WAITING_SUPPLY])
        return list(periods.order_by("month", "pk").values_list("organization_id", "pk"))


@shared_task(name="receipts.settle")
def settle_period(organization_id: str, period_id: str, *, now: datetime | None = None) -> None:
    """Retire for one period, and sign its receipt."""
    settle(organization_id=organization_id, period_id=period_id, now=now or timezone.now())


SETTLES = Sweep("settle", frozen_periods, settle_period)


@shared_task(name="receipts.settle_periods")
def settle_periods() -> None:
    """Hourly: the second half of the close."""
    SETTLES.enqueue(timezone.now())
