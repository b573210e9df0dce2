"""Quantities are whole numbers of small units, rates whole numbers scaled by SCALE; all rounding is done here.

A total is the sum of its stored parts and is never rounded apart. The only floats are those shown in JSON.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NewType

Micrograms = NewType("Micrograms", int)  # of CO2e
MicrowattHours = NewType("MicrowattHours", int)  # of a data centre, its own overhead included
Milligrams = NewType("Milligrams", int)  # of CO2e, as credits are retired

SCALE = 10**18
HALF = SCALE // 2
PLACES = Decimal(1).scaleb(-18)
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)  # "half up" of Decimal is away from zero


def to_whole(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves away from zero. `div(2 * a + b, 2 * b)` in SQL. Neither is negative here."""
    return (numerator + denominator // 2) // denominator


def part(activity: int, per: int, rate: int) -> int:
    """activity / per times a rate scaled by SCALE: `to_whole(activity * rate, per * SCALE)`, rounded once, the division last."""
    return (activity * rate + per * HALF) // (per * SCALE)


def scaled(rate: Decimal) -> int:
    """A rate of 18 places, halves away from zero, as a whole number scaled by SCALE."""
    return int(rate.quantize(PLACES, context=EXACT).scaleb(18, context=EXACT))


def unscaled(rate: int) -> Decimal:
    """The decimal of 18 places that a scaled rate stands for."""
    return Decimal(rate).scaleb(-18, context=EXACT)


def grams(mass: float) -> float:
    """Micrograms as the grams of JSON, exact below a thousand tonnes."""
    return mass / 1_000_000


def watt_hours(energy: int) -> float:
    """Microwatt-hours as the watt-hours of JSON."""
    return energy / 1_000_000


def milligrams_up(mass: int) -> Milligrams:
    """Micrograms in milligrams, rounded up: never less is retired than was emitted."""
    return Milligrams(-(-mass // 1000))
