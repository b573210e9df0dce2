"""How far the truth may lie from a sum of uncertain figures: the low and the high of its 95 % interval.

Each term of a combination is two lines: electricity, whose factors are method, term, model, PUE and grid, and embodied
hardware, whose factors are method, term, model and embodied. A factor is one uncertainty wherever it stands, so it never
averages out. With the mean E of each line, and v the variance of a factor's logarithm,

    variance = sum over lines i and j of E_i x E_j x (exp(sum of v over the factors that i and j share) - 1)

exactly. Low and high are those of a lognormal distribution with this mean and this variance. The two lines of a term stand
in one proportion throughout a combination, so the double sum can run over combinations a and b instead, each with a mean:

    variance + mean^2 = sum over a and b of
        coupling(a, b) x (E_a x E_b + sum over shared terms t of (exp(v_t) - 1) x E_at x E_bt)

Floats, as bounds are never added. Only the standard library is used: audit packs carry this file as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, log, sqrt
from typing import NamedTuple

Z = 1.96  # standard deviations to either end of a 95 % interval


class Uncertain(NamedTuple):
    """A factor by its name, with the standard deviation of its logarithm."""

    name: str
    ln_sd: float


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """What the figures of one combination are uncertain by. A term's own factor is its energy factor.

    `embodied_share` is the embodied part of its mean rates. It is one number, since all that the two parts of a rate have
    in common cancels: m / (PUE x grid x exp((v_pue + v_grid) / 2) + m), where m = embodied x exp(v_embodied / 2).
    """

    method: Uncertain
    model: Uncertain
    pue: Uncertain
    grid: Uncertain
    embodied: Uncertain
    embodied_share: float
    terms: Mapping[str, Uncertain]


class Bounds(NamedTuple):
    """The 95 % interval, to four significant digits, in the unit of the means."""

    low: float
    high: float


Portion = tuple[Spread, Mapping[str, float], float]  # of one combination: the mean of each term, and of all


def bounds(sums: Iterable[tuple[Spread, Mapping[str, float]]]) -> Bounds:
    """Low and high of a sum, given as the mean of each of the terms of each combination, in any unit; none is negative."""
    portions: list[Portion] = []
    mean = second_moment = 0.0
    for spread, means in sums:
        portion = (spread, means, sum(means.values()))
        mean += portion[2]
        second_moment += product(portion, portion)
        for other in portions:
            second_moment += 2 * product(portion, other)
        portions.append(portion)
    if not mean:
        return Bounds(0.0, 0.0)
    ratio = max(1.0, second_moment / mean**2)  # below 1 by a float's error, where nothing is uncertain
    median, reach = mean / sqrt(ratio), exp(Z * sqrt(log(ratio)))
    return Bounds(significant(median / reach), significant(median * reach))


def product(a: Portion, b: Portion) -> float:
    """The mean of the product of two sums."""
    spread_a, means_a, mean_a = a
    spread_b, means_b, mean_b = b
    common, terms = kinship(spread_a, spread_b)
    own = 0.0
    for term_a, term_b, weight in terms:
        own += weight * means_a[term_a] * means_b[term_b]
    return common * (mean_a * mean_b + own)


@lru_cache(maxsize=2**16)  # all that does not depend on means; a Spread is hashed by its identity
def kinship(a: Spread, b: Spread) -> tuple[float, list[tuple[str, str, float]]]:
    """How two combinations hang together: their coupling, and the terms that they share, each with exp(v) - 1."""
    terms = [
        (term_a, term_b, expm1(shared(factor_a, factor_b)))
        for term_a, factor_a in a.terms.items()
        for term_b, factor_b in b.terms.items()
        if factor_a.name == factor_b.name
    ]
    return coupling(a, b), terms


def coupling(a: Spread, b: Spread) -> float:
    """exp(sum of v) over what lines of two combinations share besides their terms, on average over the kinds of line."""
    electricity_a, electricity_b = 1 - a.embodied_share, 1 - b.embodied_share
    kinds = (
        electricity_a * electricity_b * exp(shared(a.pue, b.pue) + shared(a.grid, b.grid))
        + electricity_a * b.embodied_share
        + a.embodied_share * electricity_b
        + a.embodied_share * b.embodied_share * exp(shared(a.embodied, b.embodied))
    )
    return kinds * exp(shared(a.method, b.method) + shared(a.model, b.model))


def shared(a: Uncertain, b: Uncertain) -> float:
    """The v of a factor that two lines share, else 0. Two sets may differ on it; it is one uncertainty all the same."""
    return a.ln_sd * b.ln_sd if a.name == b.name else 0.0


def significant(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")
