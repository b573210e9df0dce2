from django.contrib import admin

from carbon_site.admin import ReadOnlyAdmin
from receipts.models import Allocation, CarbonReceipt, CreditBatch, LogLeaf


@admin.register(CreditBatch)
class CreditBatchAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "registry",
        "project",
        "vintage",
        "serials",
        "allocated_mg",
        "retired_mg",
        "is_demonstration",
    ]
    list_filter = ["registry", "kind", "is_demonstration"]
    search_fields = ["project", "block"]


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    list_display = ["organization", "period", "batch", "span", "allocated_at"]
    list_select_related = ["organization", "period", "batch"]


@admin.register(CarbonReceipt)
class CarbonReceiptAdmin(ReadOnlyAdmin):
    """Neither the salt nor the token, which opens the public page, is shown."""

    list_display = ["number", "organization", "period", "issued_at", "sha256", "leaf_index"]
    list_select_related = ["organization", "period"]
    search_fields = ["number"]
    exclude = ["salt", "token", "document", "jws"]


@admin.register(LogLeaf)
class LogLeafAdmin(ReadOnlyAdmin):
    list_display = ["index"]
    ordering = ["-index"]
