"""What the figures of a span do not know, or leave out."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from carbon_site.ids import decode
from emissions.combinations import combination_of
from emissions.models import UsageDay, UsageHour
from emissions.summary import is_by_days

KINDS = """
SELECT model, family, combination_id,
       sum(input_uncached + cache_read + cache_write + output)::bigint, sum(requests)::bigint
FROM {table}
WHERE organization_id = %(organization)s AND starts_at >= %(start)s AND starts_at < %(end)s AND events > 0
GROUP BY model, family, combination_id
"""
Kind = tuple[str | None, str, UUID | None, int, int]  # model, family, combination, tokens, requests


@dataclass(frozen=True)
class Gaps:
    """Models that no row of the factors knows, with their tokens; kinds of usage that are counted and not estimated."""

    unmapped: list[tuple[str | None, int]]
    not_estimated: list[tuple[str, int, int]]
    tokens: int
    versions: list[str]


def gaps(organization_id: str, start: datetime, end: datetime, now: datetime) -> Gaps:
    kinds = _kinds(organization_id, start, end, now)
    unmapped: Counter[str | None] = Counter()
    versions = set()
    for model, _, name, tokens, _ in kinds:
        if name is not None:
            known = combination_of(name)
            versions.add(known.factors.version)
            if known.is_unmapped:
                unmapped[model] += tokens
    return Gaps(
        unmapped=unmapped.most_common(),
        not_estimated=_not_estimated(kinds),
        tokens=sum(tokens for *_, tokens, _ in kinds),
        versions=sorted(versions),
    )


def _kinds(organization_id: str, start: datetime, end: datetime, now: datetime) -> list[Kind]:
    table = UsageDay if is_by_days(start, end, now) else UsageHour
    span: dict[str, Any] = {"organization": decode(organization_id), "start": start, "end": end}
    with connection.cursor() as cursor:
        cursor.execute(KINDS.format(table=table._meta.db_table), span)
        return cursor.fetchall()


def _not_estimated(kinds: list[Kind]) -> list[tuple[str, int, int]]:
    """Tokens and requests by family."""
    tokens_of: Counter[str] = Counter()
    requests_of: Counter[str] = Counter()
    for _, family, name, tokens, requests in kinds:
        if name is None:
            tokens_of[family] += tokens
            requests_of[family] += requests
    return [(family, tokens_of[family], requests_of[family]) for family in sorted(tokens_of)]
