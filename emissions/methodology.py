"""From tokens to energy and carbon: six terms, the rate of each, and parts that are rounded once.

    term                activity, in tokens
    output              output
    input_uncached      input_uncached
    cache_read          cache_read
    cache_write         cache_write without its long part
    cache_write_long    cache_write_long
    kv                  output x (2 x input + output) / (2 x requests), where requests are known:
                        the context that is read again for each output token; input is all of it, written caches included

    e             energy factor x service                         Wh of IT energy per 1,000 tokens; of kv, which is also
                                                                  per 1,000 tokens of context, a thousandth of it
    central rate  e x (PUE x grid + embodied)                     µg CO2e per unit of activity
    mean rate     the same with each product multiplied by exp(v / 2), v the sum of its factors' ln_sd squared
    energy rate   e x PUE x 1000                                  µWh of the data centre per unit of activity

SQL that calculates the same to the last microgram needs these whole numbers and no others:

* rates scaled by 10^18 (`Rate`): rounded once, half away from zero, at 18 decimal places;
* an activity a / b: b = 1, but 2 x requests for kv, whose a is output x (2 x input + output). A count that is null is 0;
* a part is div(2 x a x rate + b x 10^18, 2 x b x 10^18), in `numeric`: the product first, the division last;
* the energy of a row is rounded once over all its terms: with b = 2 x requests (1 where there is no kv), c the sum of
  b x a x energy rate over the other terms, plus a x energy rate of kv, it is div(2 x c + b x 10^18, 2 x b x 10^18);
* a total is the sum of stored parts. Nothing is negative here: `div` and `//` differ below zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Literal, NamedTuple

from carbon_site.units import EXACT, HALF, SCALE, scaled, to_whole
from emissions.bounds import Spread, Uncertain
from emissions.factors import Factor, HostingRow, ModelRow

Term = Literal["output", "input_uncached", "cache_read", "cache_write", "cache_write_long", "kv"]
Mode = Literal["event", "bucket"]
TERMS: dict[Mode, tuple[Term, ...]] = {
    "event": ("output", "input_uncached", "cache_read", "cache_write", "cache_write_long", "kv"),
    "bucket": ("output", "input_uncached", "cache_read", "cache_write", "cache_write_long"),
}


class Tokens(NamedTuple):
    """The disjoint classes of one row, but `cache_write_long`, a part of `cache_write`. None, not stated, counts as 0."""

    input_uncached: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    output: int | None = None


class Rate(NamedTuple):
    """What one unit of a term's activity makes, scaled by SCALE: µg CO2e, central and mean, and µWh."""

    central: int
    mean: int
    energy: int


class Figures(NamedTuple):
    """The stored parts of one row; and its means before rounding, from which bounds are made."""

    central_ug: dict[Term, int]
    mean_ug: dict[Term, int]
    energy_uwh: int
    expected_ug: dict[str, float]


class CombinationKey(NamedTuple):
    """What names a combination within its set."""

    tier: str
    mode: Mode
    model_row: int
    service_class: str
    hosting: str


@dataclass(frozen=True, eq=False)
class Combination:
    """All the factors that one row of usage meets, and what follows from them. It never changes."""

    version: str
    key: CombinationKey
    model: ModelRow
    hosting: HostingRow
    method: Factor
    service: Factor
    pue: Factor
    grid: Factor
    embodied: Factor
    energy: Mapping[Term, Factor]

    @cached_property
    def rates(self) -> dict[Term, Rate]:
        with localcontext(EXACT):
            mean_per_kwh = sum(self._mean_per_kwh(), Decimal(0))
            return {term: self._rate(term, mean_per_kwh) for term in self.energy}

    @cached_property
    def spread(self) -> Spread:
        """What its figures are uncertain by."""
        with localcontext(EXACT):
            electricity, embodied = self._mean_per_kwh()
            return Spread(
                method=uncertain(self.method),
                model=Uncertain(self.model.pattern, float(self.model.ln_sd)),
                pue=uncertain(self.pue),
                grid=Uncertain(self.hosting.id, float(self.hosting.grid_ln_sd)),
                embodied=uncertain(self.embodied),
                embodied_share=float(embodied / (electricity + embodied)),
                terms={term: uncertain(factor) for term, factor in self.energy.items()},
            )

    def _rate(self, term: Term, mean_per_kwh: Decimal) -> Rate:
        energy = self.energy[term]
        use = energy.value * self.service.value / (1000 if term == "kv" else 1)
        per_kwh = self.pue.value * self.grid.value + self.embodied.value
        lift = rise(self.method.ln_sd, energy.ln_sd, self.model.ln_sd)
        return Rate(
            central=scaled(use * per_kwh),
            mean=scaled(use * lift * mean_per_kwh),
            energy=scaled(use * self.pue.value * 1000),
        )

    def _mean_per_kwh(self) -> tuple[Decimal, Decimal]:
        """Mean g CO2e per kWh of IT energy: of electricity, and embodied in hardware."""
        electricity = self.pue.value * self.grid.value * rise(self.pue.ln_sd, self.hosting.grid_ln_sd)
        return electricity, self.embodied.value * rise(self.embodied.ln_sd)


def rise(*ln_sd: Decimal) -> Decimal:
    """How far the mean of a product of lognormals lies above its median."""
    return (sum((sd * sd for sd in ln_sd), Decimal(0)) / 2).exp()


def uncertain(factor: Factor) -> Uncertain:
    return Uncertain(factor.id, float(factor.ln_sd))


def mode_of(requests: int | None) -> Mode:
    return "event" if requests is not None and requests >= 1 else "bucket"


def activities(tokens: Tokens) -> tuple[int, ...]:
    """The activity of each term, in the order of TERMS; that of kv still to be divided by twice the requests.

    Raises ValueError below zero.
    """
    uncached, read, written, long, output = tokens
    uncached, read, written, long, output = uncached or 0, read or 0, written or 0, long or 0, output or 0
    short = written - long
    if uncached < 0 or read < 0 or short < 0 or long < 0 or output < 0:
        raise ValueError(f"{tokens} is less than nothing")
    return output, uncached, read, short, long, output * (2 * (uncached + read + written) + output)


def figures(rates: Mapping[Term, Rate], tokens: Tokens, requests: int | None) -> Figures:
    """The figures of one row. Raises ValueError if the requests do not go with the rates, or a count is below zero."""
    contexts = 2 * requests if requests and requests > 0 else 1
    if (contexts > 1) != ("kv" in rates):
        raise ValueError(f"{requests} requests do not go with rates of {', '.join(rates)}")
    central = dict.fromkeys(rates, 0)
    mean, energy, scale, half = central.copy(), 0, SCALE, HALF
    expected: dict[str, float] = dict.fromkeys(rates, 0.0)
    for term, amount in zip(rates, activities(tokens), strict=False):  # rates by bucket have no kv
        if amount:
            if term == "kv":  # the last, and the only one that is still to be divided
                energy, scale, half = energy * contexts, scale * contexts, half * contexts
            central_rate, mean_rate, energy_rate = rates[term]
            exact = amount * mean_rate
            central[term] = (amount * central_rate + half) // scale  # `to_whole`, without its call
            mean[term] = (exact + half) // scale
            expected[term] = exact / scale
            energy += amount * energy_rate
    return Figures(central, mean, to_whole(energy, scale), expected)
