from typing import Any

from django.contrib import admin
from django.utils import timezone

from billing import close
from billing.models import BillingPeriod, PriorPeriodAdjustment
from carbon_site.admin import ReadOnlyAdmin
from projects import tenancy


@admin.register(BillingPeriod)
class BillingPeriodAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "month", "revision", "state", "frozen_at", "mean_ug", "retire_mg"]
    list_filter = ["state"]
    list_select_related = ["organization"]
    date_hierarchy = "month"
    actions = ["freeze"]

    @admin.action(description="Freeze the selected periods", permissions=["act"])
    def freeze(self, request: Any, periods: Any) -> None:
        def freeze(period: BillingPeriod) -> None:
            with tenancy.organization(period.organization_id):  # the ledger shows its rows to no one else
                close.freeze(organization_id=period.organization_id, period_id=period.pk, now=timezone.now())

        self.act(request, periods, freeze)


@admin.register(PriorPeriodAdjustment)
class PriorPeriodAdjustmentAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "month", "period", "events", "mean_ug", "since", "until"]
    list_select_related = ["organization", "period"]
