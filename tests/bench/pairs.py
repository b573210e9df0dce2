"""Rates beside the limits that were measured in turn with them, so that a busy machine slows both alike."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

PAIRS = 5
Pair = tuple[float, float]  # our rate, and the limit that was measured right before or after it


@dataclass(frozen=True)
class Comparison:
    """One row of the table: medians, and the lowest and highest ratio of a pair. More is better throughout."""

    name: str
    figure: float
    limit: float
    ratio: float
    target: float
    unit: str
    spread: Pair


def in_turn(number: int, ours: Callable[[], float], limit: Callable[[], float]) -> Pair:
    """One pair. Who is first changes with its number, so that nobody always finds everything warm."""
    if number % 2:
        allowed = limit()
        return ours(), allowed
    return ours(), limit()


def compare(name: str, pairs: list[Pair], *, target: float, unit: str) -> Comparison:
    ratios = [figure / limit for figure, limit in pairs]
    figure, limit = (median(side) for side in zip(*pairs, strict=True))
    return Comparison(name, figure, limit, median(ratios), target, unit, (min(ratios), max(ratios)))
