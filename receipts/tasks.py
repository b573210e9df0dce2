"""From a frozen period to a receipt in the customer's hands: at once when it is frozen, and every hour what is left."""

from datetime import datetime

from django.utils import timezone

from billing.models import BillingPeriod
from billing.services import State
from carbon_site.sweeps import Sweep
from carbon_site.tasks import shared_task
from projects.tenancy import every_organization
from receipts.hand_out import hand_out
from receipts.settle import settle

UNFINISHED = [State.FROZEN, State.WAITING_SUPPLY, State.ALLOCATED]


def unfinished_periods(now: datetime) -> list[tuple[str, str]]:
    """Those that are frozen, that wait for credits, or whose receipt has no page yet; the oldest first."""
    with every_organization("sweep: unfinished periods"):
        periods = BillingPeriod.unscoped.filter(state__in=UNFINISHED)
        return list(periods.order_by("month", "pk").values_list("organization_id", "pk"))


@shared_task(name="receipts.settle")
def settle_period(organization_id: str, period_id: str, *, now: datetime | None = None) -> None:
    """Retire for one period, sign its receipt, and hand it out."""
    settle(organization_id=organization_id, period_id=period_id, now=now or timezone.now())
    hand_out(organization_id=organization_id, period_id=period_id)


SETTLES = Sweep("settle", unfinished_periods, settle_period)


@shared_task(name="receipts.settle_periods")
def settle_periods() -> None:
    """Hourly: the second half of the close."""
    SETTLES.enqueue(timezone.now())
