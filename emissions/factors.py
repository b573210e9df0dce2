"""The rows of a factor set, as they are published: numbers with their sources, where models run, how large they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Factor:
    """A number with a source. `ln_sd` is the standard deviation of its logarithm, 0 for a constant."""

    id: str
    kind: str
    value: Decimal
    ln_sd: Decimal
    published: Mapping[str, Any]  # the row: unit, source, licence, and what the value was made of


@dataclass(frozen=True, slots=True)
class HostingRow:
    """Where the models of a provider run, for rows of usage that carry `signal`; the grid there is uncertain by this row."""

    id: str
    provider: str
    signal: Mapping[str, str]
    grid: str
    grid_ln_sd: Decimal
    pue: str
    note: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """The tier of the models whose normalised name `pattern` matches whole; `size` is told by the numbers in the name."""

    order: int
    vendor: str
    kind: str
    pattern: str
    tier: str  # empty for a kind that is not estimated
    evidence: int  # 1, declared and assured, to 6, unknown
    ln_sd: Decimal
    reason: str
