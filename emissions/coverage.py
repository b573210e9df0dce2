"""What the figures of a span do not know, or leave out."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, Sum

from emissions.models import CarbonFactors, FactorCombination, UsageDay, UsageHour
from emissions.publish import factor_set
from emissions.summary import is_by_days

TOKENS = F("input_uncached") + F("cache_read") + F("cache_write") + F("output")


@dataclass(frozen=True)
class Gaps:
    """Models that no row of the factors knows, with their tokens; kinds of usage that are counted and not estimated."""

    unmapped: list[tuple[str | None, int]]
    not_estimated: list[tuple[str, int, int]]
    tokens: int
    versions: list[str]


def gaps(organization_id: str, start: datetime, end: datetime, now: datetime) -> Gaps:
    table = UsageDay if is_by_days(start, end, now) else UsageHour
    usage = table.objects.for_organization(organization_id).filter(
        starts_at__gte=start, starts_at__lt=end, events__gt=0
    )
    combinations = usage.exclude(combination_id=None).values_list("combination_id", flat=True).distinct()
    rows = FactorCombination.objects.filter(pk__in=list(combinations))
    sets = {row.pk: row for row in CarbonFactors.objects.filter(pk__in=rows.values("factors"))}
    default = Q(pk=None)
    for pk, factors in sets.items():
        default |= Q(factors=pk, model_row=factor_set(factors).unmapped.order)
    unmapped = usage.filter(combination_id__in=list(rows.filter(default).values_list("pk", flat=True)))
    kinds = usage.filter(combination_id=None).values("family")
    return Gaps(
        unmapped=list(
            unmapped.values("model")
            .annotate(tokens=Sum(TOKENS))
            .order_by("-tokens")
            .values_list("model", "tokens")
        ),
        not_estimated=list(
            kinds.annotate(tokens=Sum(TOKENS), asked=Sum("requests"))
            .order_by("family")
            .values_list("family", "tokens", "asked")
        ),
        tokens=usage.aggregate(tokens=Sum(TOKENS))["tokens"] or 0,
        versions=sorted(factors.version for factors in sets.values()),
    )
