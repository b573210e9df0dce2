"""Factors and figures, for support. Heavy tables show the organisation that this member of staff has chosen."""

from django.contrib import admin

from carbon_site.admin import HeavyAdmin, ReadOnlyAdmin
from emissions.models import CarbonCalculation, CarbonFactors, FactorCombination, MonthFactors, UsageDay


@admin.register(CarbonFactors)
class CarbonFactorsAdmin(ReadOnlyAdmin):
    list_display = ["version", "sha256", "published_at"]


@admin.register(FactorCombination)
class FactorCombinationAdmin(ReadOnlyAdmin):
    list_display = ["id", "factors", "tier", "mode", "model_row", "service_class", "hosting"]
    list_filter = ["tier", "mode"]
    list_select_related = ["factors"]


@admin.register(MonthFactors)
class MonthFactorsAdmin(ReadOnlyAdmin):
    list_display = ["organization", "month", "factors"]
    list_select_related = ["organization", "factors"]


@admin.register(CarbonCalculation)
class CarbonCalculationAdmin(HeavyAdmin):
    list_display = ["starts_at", "event_id", "combination_id", "energy_uwh", "observed_at", "superseded_at"]


@admin.register(UsageDay)
class UsageDayAdmin(HeavyAdmin):
    list_display = ["starts_at", "provider", "model", "service_tier", "events", "output", "energy_uwh"]
    list_filter = ["provider"]
