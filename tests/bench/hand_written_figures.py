"""Sums, bounds and coverage of the hand-written summary: three statements, and one pass over their rows."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from emissions.bounds import Spread, bounds
from emissions.factor_document import read
from emissions.factor_set import FactorSet
from emissions.methodology import TERMS, CombinationKey

COUNTED = ("input_uncached", "cache_read", "cache_write", "cache_write_long", "output", "requests")
TOKENS = ("input_uncached", "cache_read", "cache_write", "output")
PARTS = TERMS["event"]
SUMS = [*COUNTED, *(f"known_{name}" for name in COUNTED), "energy_uwh"]
SUMS += [" + ".join(f"central_{term}_ug" for term in PARTS), *(f"mean_{term}_ug" for term in PARTS)]

USAGE = f"""
SELECT {{step}} AS starts_at, model, combination_id, {", ".join(f"sum({each})::bigint" for each in SUMS)}
FROM emissions_usageday
WHERE organization_id = $1 AND starts_at >= $2 AND starts_at < $3
GROUP BY 1, 2, 3
HAVING sum(events) > 0
ORDER BY 1, 2
"""
STEPS = {"day": USAGE.format(step="starts_at"), "total": USAGE.format(step="NULL::timestamptz")}
KINDS = """
SELECT model, family, combination_id, sum(input_uncached + cache_read + cache_write + output)::bigint AS tokens,
       sum(requests)::bigint AS requests
FROM emissions_usageday
WHERE organization_id = $1 AND starts_at >= $2 AND starts_at < $3 AND events > 0
GROUP BY 1, 2, 3
"""
OBSERVED = """
SELECT greatest(connection.read_from, $2) AS since, least(coalesce(date_trunc('hour', connection.archived_at, 'UTC'), $3), $3) AS until,
       coalesce(sum(extract(epoch FROM upper(span) - lower(span))), 0)::bigint / 3600 AS observed
FROM connections_providerconnection AS connection
LEFT JOIN LATERAL (
    SELECT unnest(range_agg(tstzrange(run.span_start, run.span_end))
                  * tstzmultirange(tstzrange(greatest(connection.read_from, $2), $3))) AS span
    FROM telemetry_pollrun AS run
    WHERE run.organization_id = $1 AND run.connection_id = connection.id AND run.family = 'completions'
      AND run.finished_at IS NOT NULL AND run.span_start < $3 AND run.span_end > $2
) AS spans ON true
WHERE connection.organization_id = $1 AND connection.read_from < $3
GROUP BY connection.id
"""
COMBINATION = """
SELECT combination.tier, combination.mode, combination.model_row, combination.service_class, combination.hosting, factors.sha256,
       factors.document
FROM emissions_factorcombination AS combination
JOIN emissions_carbonfactors AS factors ON factors.id = combination.factors_id
WHERE combination.id = $1
"""
COUNTS, STATED, FIGURES, MEANS = slice(0, 6), slice(6, 12), slice(12, None), slice(14, None)  # of SUMS
row_key = itemgetter("starts_at", "model")
HOUR = timedelta(hours=1)
sets: dict[str, FactorSet] = {}
combinations: dict[UUID, "Known"] = {}  # they are final


@dataclass(frozen=True)
class Known:
    """What does not change of a combination."""

    spread: Spread
    version: str
    is_unmapped: bool


async def answer(
    connection: Connection,
    organization: UUID,
    start: datetime,
    end: datetime,
    granularity: str,
    now: datetime,
) -> dict[str, Any]:
    span = (organization, start, end)
    sums = await connection.fetch(STEPS[granularity], *span)
    kinds = await connection.fetch(KINDS, *span)
    last = min(end, now).replace(minute=0, second=0, microsecond=0)
    hours = await connection.fetch(OBSERVED, organization, start, last)
    for name in {kind["combination_id"] for kind in kinds} - {None, *combinations}:
        combinations[name] = await known(connection, name)
    versions = {combinations[kind["combination_id"]].version for kind in kinds if kind["combination_id"]}
    return {
        "results": [
            row_of(starts_at, model, list(parts)) for (starts_at, model), parts in groupby(sums, key=row_key)
        ],
        "coverage": hours_of(hours) | left_out(kinds),
        "factor_versions": sorted(versions),
    }


async def known(connection: Connection, name: UUID) -> Known:
    *key, sha256, document = await connection.fetchrow(COMBINATION, name)
    factors = sets.get(sha256) or sets.setdefault(sha256, read(document.encode()))
    spread = factors.combine(CombinationKey(*key)).spread
    return Known(spread, factors.version, CombinationKey(*key).model_row == factors.unmapped.order)


def row_of(starts_at: datetime | None, model: str | None, parts: list[Record]) -> dict[str, Any]:
    sums = [part[3:] for part in parts]
    totals = sums[0] if len(sums) == 1 else [sum(column) for column in zip(*sums, strict=True)]
    stated = zip(COUNTED, totals[COUNTS], totals[STATED], strict=True)
    said = {name: count if is_stated else None for name, count, is_stated in stated}
    energy, central, *means = totals[FIGURES]
    low, high = bounds(
        (combinations[part[2]].spread, dict(zip(PARTS, part[3:][MEANS], strict=True)))
        for part in parts
        if part[2] is not None
    )
    tokens, read = sum(said[name] or 0 for name in TOKENS), said["cache_read"]
    inputs = tokens - (said["output"] or 0)
    return {
        "starts_at": starts_at and starts_at.isoformat().replace("+00:00", "Z"),
        "model": model,
        **said,
        "cache_hit_ratio": None if read is None or not inputs else round(read / inputs, 6),
        "energy_wh": energy / 1e6,
        "co2e_g": {"low": low / 1e6, "central": central / 1e6, "high": high / 1e6, "mean": sum(means) / 1e6},
        "cost": None,
        "avoided_by_cache_co2e_g": None,
        "g_per_million_tokens": round(central / tokens, 6) if tokens else None,
    }


def hours_of(connections: list[Record]) -> dict[str, int]:
    expected = sum(max(0, (row["until"] - row["since"]) // HOUR) for row in connections)
    observed = sum(row["observed"] for row in connections)
    return {"hours_expected": expected, "hours_observed": observed, "hours_missing": expected - observed}


def left_out(kinds: list[Record]) -> dict[str, Any]:
    """Models that no row of the factors knows, by their tokens; and what is counted and not estimated."""
    unmapped: Counter[str | None] = Counter()
    not_estimated: dict[str, Counter[str]] = {}
    for kind in kinds:
        if kind["combination_id"] is None:
            row = not_estimated.setdefault(kind["family"], Counter())
            row.update(tokens=kind["tokens"], requests=kind["requests"])
        elif combinations[kind["combination_id"]].is_unmapped:
            unmapped[kind["model"]] += kind["tokens"]
    total = sum(kind["tokens"] for kind in kinds)
    return {
        "unmapped_models": [
            {"model": model, "tokens": tokens, "share": round(tokens / total, 6) if total else 0}
            for model, tokens in unmapped.most_common()
        ],
        "not_estimated": [{"family": family, **row} for family, row in sorted(not_estimated.items())],
    }
