"""The public calculator: the figures of usage that somebody only describes, by the same formula as the ledger's."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from emissions.bounds import Spread, bounds
from emissions.factor_set import FactorSet, signal_of
from emissions.methodology import Tokens, figures

TOKENS = ("input_uncached", "cache_read", "cache_write", "cache_write_long", "output")
Portion = tuple[Spread, Mapping[str, float]]


class Carbon(NamedTuple):
    """Energy and emissions, with the 95 % interval of the emissions."""

    energy_uwh: int
    central_ug: int
    mean_ug: int
    low_ug: float
    high_ug: float


class Estimate(NamedTuple):
    """What one row of usage would come to. `figures` is None where tokens are counted and nothing is estimated."""

    model: str
    kind: str
    tier: str
    is_mapped: bool
    figures: Carbon | None
    portion: Portion | None


def estimate(factors: FactorSet, row: Mapping[str, Any]) -> Estimate:
    """One row: its model, its tokens by class, and what is known of how and where it was served."""
    provider, name, requests = row["provider"], row["model"], row.get("requests")
    combination = factors.combination(
        provider=provider,
        model=name,
        signal=signal_of(provider, row.get("region")),
        service_tier=row.get("service_tier"),
        requests=requests,
    )
    if combination is None:
        model = factors.model(name).row
        return Estimate(name, model.kind, "", model is not factors.unmapped, None, None)
    made, model = figures(combination.rates, Tokens(*map(row.get, TOKENS)), requests), combination.model
    portion = (combination.spread, made.expected_ug)
    low, high = bounds([portion])
    carbon = Carbon(made.energy_uwh, sum(made.central_ug.values()), sum(made.mean_ug.values()), low, high)
    return Estimate(name, model.kind, combination.key.tier, model is not factors.unmapped, carbon, portion)


def total(estimates: Sequence[Estimate]) -> Carbon:
    """Of rows together: sums of what adds, and an interval of its own, as rows share their uncertainties."""
    merged: dict[Spread, dict[str, float]] = {}
    for each in estimates:
        if each.portion is not None:
            spread, means = each.portion
            sums = merged.setdefault(spread, dict.fromkeys(means, 0.0))
            for term, mean in means.items():
                sums[term] += mean
    parts = [each.figures for each in estimates if each.figures is not None]
    low, high = bounds(merged.items())
    return Carbon(
        sum(part.energy_uwh for part in parts),
        sum(part.central_ug for part in parts),
        sum(part.mean_ug for part in parts),
        low,
        high,
    )
