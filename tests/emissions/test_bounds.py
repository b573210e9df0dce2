from math import exp, log, prod, sqrt
from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emissions.bounds import Bounds, Spread, Uncertain, bounds, significant
from emissions.factor_document import packaged
from tests.emissions.examples import EXAMPLES, combination, combination_of, figures_of

PORTFOLIO = EXAMPLES["portfolio of the first, third and fourth, and of a model on the same tier as the first"]
Z = 1.96
ROUNDED = 6e-4  # of four significant digits

keys = st.sampled_from([
    combination(model=model, provider=provider, requests=n).key
    for model in ("gpt-4o", "gpt-5", "gpt-5-nano", "claude-opus-5-5", "claude-haiku-4-5", "some-new-model-9000")
    for provider in ("openai", "anthropic", "google", "nobody")
    for n in (1, None)
])  # fmt: skip
lines = st.lists(
    st.tuples(keys, st.lists(st.floats(0, 1e12), min_size=6, max_size=6)), min_size=1, max_size=6
)


def sums(said: list) -> list[tuple[Spread, dict[str, float]]]:
    """Lines as `bounds` takes them, with something in the first."""
    made = [(packaged().combine(key), means) for key, means in said]
    found = [(one.spread, dict(zip(one.energy, means, strict=False))) for one, means in made]
    found[0][1]["output"] += 1.0
    return found


def lines_of(portions: list[tuple[Spread, dict[str, float]]]) -> list[tuple[float, dict[tuple, float]]]:
    """Two for each term: the mean, and the ln_sd of each factor."""
    found = []
    for spread, means in portions:
        for term, mean in means.items():
            both = {"method": spread.method, "term": spread.terms[term], "model": spread.model}
            electricity, embodied = {"pue": spread.pue, "grid": spread.grid}, {"embodied": spread.embodied}
            for share, own in ((1 - spread.embodied_share, electricity), (spread.embodied_share, embodied)):
                of = {(slot, factor.name): factor.ln_sd for slot, factor in (both | own).items()}
                found.append((mean * share, of))
    return found


def moments(found: Bounds) -> tuple[float, float]:
    """Mean and standard deviation of the lognormal that has these bounds."""
    s = log(found.high / found.low) / (2 * Z)
    mean = sqrt(found.low * found.high) * exp(s**2 / 2)
    return mean, mean * sqrt(exp(s**2) - 1)


class TestExamples:
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_meet_low_and_high(self, name):
        rows = EXAMPLES[name]["rows"]

        found = bounds((combination_of(row).spread, figures_of(row).expected_ug) for row in rows)

        assert found == (EXAMPLES[name]["total"]["low_ug"], EXAMPLES[name]["total"]["high_ug"])

    def test_meet_them_from_stored_parts(self):
        found = bounds((combination_of(row).spread, figures_of(row).mean_ug) for row in PORTFOLIO["rows"])

        assert found == (PORTFOLIO["total"]["low_ug"], PORTFOLIO["total"]["high_ug"])


class TestBounds:
    @given(lines)
    @settings(deadline=None)
    def test_are_those_of_the_double_sum_over_all_lines(self, said):
        portions = sums(said)

        found = bounds(portions)

        single = lines_of(portions)
        mean = sum(line for line, _ in single)
        variance = sum(
            a * b * (exp(sum(sd**2 for factor, sd in of_a.items() if factor in of_b)) - 1)
            for a, of_a in single
            for b, of_b in single
        )
        s = sqrt(log(1 + variance / mean**2))
        median = mean / sqrt(1 + variance / mean**2)
        assert found == pytest.approx((median * exp(-Z * s), median * exp(Z * s)), rel=ROUNDED)

    @given(lines)
    @settings(deadline=None)
    def test_enclose_the_mean(self, said):
        portions = sums(said)

        found = bounds(portions)

        mean = sum(sum(means.values()) for _, means in portions)
        assert 0 < found.low < mean < found.high
        assert moments(found)[0] == pytest.approx(mean, rel=2e-3)

    @given(lines)
    @settings(deadline=None)
    def test_are_never_closer_than_the_method_is_known(self, said):
        found = bounds(sums(said))

        assert found.high / found.low > exp(2 * Z * 0.588) * (1 - 2 * ROUNDED)

    @given(lines)
    @settings(deadline=None)
    def test_are_the_same_in_any_order_and_in_any_pieces(self, said):
        whole = sums(said)

        halves = [(spread, {term: mean / 2 for term, mean in means.items()}) for spread, means in whole]
        assert bounds([*halves, *reversed(halves)]) == pytest.approx(bounds(whole), rel=2 * ROUNDED)

    @given(lines, st.sampled_from([1e-6, 1e3, 1e6]))
    @settings(deadline=None)
    def test_go_with_the_unit(self, said, unit):
        portions = sums(said)

        other = bounds(
            [(spread, {t: mean * unit for t, mean in means.items()}) for spread, means in portions]
        )

        assert other == pytest.approx(tuple(value * unit for value in bounds(portions)), rel=2 * ROUNDED)

    def test_hold_what_was_drawn_in_95_of_100_cases(self):
        portions = [(combination_of(row).spread, figures_of(row).expected_ug) for row in PORTFOLIO["rows"]]

        drawn = draws(portions, 10_000)

        found = bounds(portions)
        inside = sum(found.low <= total <= found.high for total in drawn) / len(drawn)
        assert inside == pytest.approx(0.95, abs=0.015)  # the total is not quite a lognormal
        assert moments(found) == (
            pytest.approx(fmean(drawn), rel=0.03),
            pytest.approx(pstdev(drawn), rel=0.08),
        )

    @pytest.mark.parametrize(
        "portions", [[], [(combination().spread, dict.fromkeys(combination().energy, 0))]]
    )
    def test_are_nothing_where_there_is_nothing(self, portions):
        assert bounds(portions) == (0, 0)


def draws(portions: list, count: int) -> list[float]:
    """Totals as they would be if each factor were off by a lognormal of its own, the same wherever it stands."""
    random = Random(202611)
    single = lines_of(portions)
    spreads = {factor: sd for _, of in single for factor, sd in of.items()}
    medians = [mean * exp(-sum(sd**2 for sd in of.values()) / 2) for mean, of in single]
    totals = []
    for _ in range(count):
        off = {factor: random.lognormvariate(0, sd) for factor, sd in spreads.items()}
        totals.append(
            sum(median * prod(off[f] for f in of) for median, (_, of) in zip(medians, single, strict=True))
        )
    return totals


class TestOneTerm:
    def test_is_a_lognormal_itself(self):
        sure = Uncertain("embodied", 0.0)
        spread = Spread(
            method=Uncertain("method", 0.3), model=Uncertain("m", 0.2), pue=Uncertain("p", 0.1),
            grid=Uncertain("g", 0.4), embodied=sure, embodied_share=0.0, terms={"output": Uncertain("t", 0.5)},
        )  # fmt: skip

        found = bounds([(spread, {"output": 1000.0})])

        # s² = 0.3² + 0.2² + 0.1² + 0.4² + 0.5² = 0.55; the median is 1000 x exp(-0.55 / 2) = 759.57;
        # x exp(-+1.96 x 0.7416) = 0.23374 and 4.2783
        assert found == (177.5, 3250.0)

    def test_that_is_certain_is_its_own_bound(self):
        sure = Uncertain("sure", 0.0)
        spread = Spread(sure, sure, sure, sure, sure, 0.1, {"output": sure, "kv": sure})

        assert bounds([(spread, {"output": 0.1, "kv": 0.7})]) == (0.8, 0.8)


class TestTwoModels:
    def test_are_better_known_together_than_apart(self):
        alone = bounds([only_output("gpt-4o", 200.0)])

        together = bounds([only_output("gpt-4o", 100.0), only_output("gpt-5-nano", 100.0)])

        assert together.high / together.low < alone.high / alone.low

    def test_of_one_tier_share_more_than_those_of_two(self):
        apart = bounds([only_output("gpt-4o", 100.0), only_output("gpt-5-nano", 100.0)])

        alike = bounds([only_output("gpt-4o", 100.0), only_output("gpt-5", 100.0)])

        assert alike.high / alike.low > apart.high / apart.low

    def test_share_what_has_the_same_name_in_another_set(self):
        spread, means = only_output("gpt-4o", 100.0)
        again = Spread(*(getattr(spread, name) for name in Spread.__slots__))

        found = bounds([(spread, means), (again, means)])

        assert found == bounds([only_output("gpt-4o", 200.0)])


def only_output(model: str, mean: float) -> tuple[Spread, dict[str, float]]:
    made = combination(model=model)
    return made.spread, {term: mean if term == "output" else 0.0 for term in made.energy}


class TestSignificant:
    @pytest.mark.parametrize(
        ("value", "digits"),
        [(1998234.13, 1998000.0), (5.44435, 5.444), (99995.1, 100000.0), (0.00012344, 0.0001234), (0.0, 0.0)],
    )
    def test_has_four_digits(self, value, digits):
        assert significant(value) == digits
