"""Building packs: at once when one is ordered, and every hour what closed months lack."""

from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils import timezone

from audit.models import AuditPack
from audit.packs import CLOSED, build, order
from billing.models import BillingPeriod
from carbon_site.sweeps import Sweep
from carbon_site.tasks import shared_task
from projects.tenancy import every_organization


def closed_periods(now: datetime) -> list[tuple[str, str]]:
    """Those without a pack that is built; the oldest first."""
    with every_organization("sweep: closed periods without a pack"):
        built = AuditPack.unscoped.filter(period=OuterRef("pk"), sha256__isnull=False)
        periods = BillingPeriod.unscoped.filter(~Exists(built), state__in=CLOSED)
        return list(periods.order_by("month", "pk").values_list("organization_id", "pk"))


@shared_task(name="audit.build_pack")
def build_pack(organization_id: str, period_id: str, *, now: datetime | None = None) -> None:
    """Order the pack of one period, if nobody has, and build it."""
    pack, _ = order(organization_id=organization_id, period_id=period_id)
    build(organization_id=organization_id, pack_id=pack.pk, now=now or timezone.now())


PACKS = Sweep("pack", closed_periods, build_pack)


@shared_task(name="audit.build_monthly_packs")
def build_monthly_packs() -> None:
    """Hourly: one pack for each organisation and closed month that has none."""
    PACKS.enqueue(timezone.now())
