from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbon_site.units import SCALE, grams, milligrams_up, part, scaled, to_whole, unscaled, watt_hours

counts = st.integers(0, 10**15)
divisors = st.integers(1, 10**12)
rates = st.integers(0, 10**24)


def half_away(value: Fraction) -> int:
    """Rounding as the word says it, for what is not negative."""
    return ceil(value) if value - floor(value) >= Fraction(1, 2) else floor(value)


class TestToWhole:
    @pytest.mark.parametrize(
        ("numerator", "denominator", "whole"),
        [(0, 7, 0), (1, 2, 1), (3, 2, 2), (5, 2, 3), (49, 100, 0), (50, 100, 1), (10**40 - 1, 10**40 * 2, 0)],
    )
    def test_takes_halves_away_from_zero(self, numerator, denominator, whole):
        assert to_whole(numerator, denominator) == whole

    @given(rates, divisors)
    @settings(deadline=None)
    def test_is_the_nearest_whole_number(self, numerator, denominator):
        assert to_whole(numerator, denominator) == half_away(Fraction(numerator, denominator))


class TestPart:
    def test_worked_example(self):
        # 0.6 Wh of IT energy per 1,000 tokens, PUE 1.15, grid 400.82614 g/kWh, embodied 25 g/kWh of IT energy:
        # 0.6 x (1.15 x 400.82614 + 25) = 0.6 x 485.950061 = 291.5700366 µg a token
        # x 24,000 tokens = 6,997,680.8784 µg
        rate = scaled(Decimal("0.6") * (Decimal("1.15") * Decimal("400.82614") + 25))

        assert part(24_000, 1, rate) == 6_997_681

    @given(counts, divisors, rates)
    @settings(deadline=None)
    def test_rounds_once_and_last(self, activity, per, rate):
        assert part(activity, per, rate) == half_away(Fraction(activity, per) * Fraction(rate, SCALE))

    @given(counts, st.integers(0, 10**24))
    @settings(deadline=None)
    def test_meets_halves_that_are_exact(self, activity, rate):
        # An odd activity and a rate of so many halves give exact halves, where a float would go either way.
        halves = (2 * rate + 1) * SCALE // 2

        assert part(2 * activity + 1, 1, halves) == ((2 * activity + 1) * (2 * rate + 1) + 1) // 2


class TestScaled:
    @pytest.mark.parametrize(
        ("rate", "whole"),
        [("1", SCALE), ("0.0000000000000000005", 1), ("0.00000000000000000049", 0), ("291.5700366", 291_570_036_600_000_000_000)],
    )  # fmt: skip
    def test_has_eighteen_places(self, rate, whole):
        assert scaled(Decimal(rate)) == whole

    @given(rates)
    @settings(deadline=None)
    def test_comes_back(self, rate):
        assert scaled(unscaled(rate)) == rate


class TestWhatIsShown:
    @given(st.integers(0, 10**15))
    @settings(deadline=None)
    def test_is_exact_below_a_thousand_tonnes(self, mass):
        assert Decimal(repr(grams(mass))) == Decimal(mass).scaleb(-6)

    def test_is_watt_hours_of_energy(self):
        assert watt_hours(27_331_590) == 27.33159


class TestMilligramsUp:
    @pytest.mark.parametrize(("mass", "milligrams"), [(0, 0), (1, 1), (1000, 1), (1001, 2), (-1500, -1)])
    def test_never_retires_less_than_was_emitted(self, mass, milligrams):
        assert milligrams_up(mass) == milligrams
