"""The ledger, for support. It shows the organisation that this member of staff has chosen, and nothing before."""

from django.contrib import admin

from carbon_site.admin import HeavyAdmin, ReadOnlyAdmin
from telemetry.models import PollCursor, PollRun, RawPage, SealedMonth, TelemetryEvent


@admin.register(TelemetryEvent)
class TelemetryEventAdmin(HeavyAdmin):
    list_display = [
        "starts_at",
        "provider",
        "family",
        "model",
        "input_uncached",
        "cache_read",
        "output",
        "revision",
        "observed_at",
    ]
    list_filter = ["provider", "family"]


@admin.register(PollCursor)
class PollCursorAdmin(ReadOnlyAdmin):
    list_display = ["connection", "family", "watermark", "span_end", "page"]
    list_select_related = ["connection"]


@admin.register(PollRun)
class PollRunAdmin(ReadOnlyAdmin):
    list_display = [
        "connection",
        "family",
        "span_start",
        "span_end",
        "finished_at",
        "pages",
        "rows",
        "changes",
        "error",
    ]
    list_select_related = ["connection"]


@admin.register(RawPage)
class RawPageAdmin(ReadOnlyAdmin):
    list_display = ["observed_at", "connection", "family", "size", "path"]
    list_select_related = ["connection"]


@admin.register(SealedMonth)
class SealedMonthAdmin(ReadOnlyAdmin):
    list_display = ["organization", "month", "observed_at", "sealed_at"]
    list_select_related = ["organization"]
