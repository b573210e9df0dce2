from decimal import Decimal
from fractions import Fraction
from math import exp, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbon_site.units import SCALE, unscaled
from emissions.factor_document import packaged
from emissions.methodology import TERMS, CombinationKey, Tokens, figures, mode_of
from tests.emissions.examples import EXAMPLES, ROWS, combination, combination_of, figures_of

counts = st.none() | st.integers(0, 10**12)
tokens = st.builds(
    lambda written, long, **others: Tokens(cache_write=written + long, cache_write_long=long, **others),
    written=st.integers(0, 10**12),
    long=st.integers(0, 10**12),
    input_uncached=counts,
    cache_read=counts,
    output=counts,
)
requests = st.integers(1, 10**9)
keys = st.builds(
    CombinationKey,
    tier=st.sampled_from(packaged().size_rule.tiers),
    mode=st.sampled_from(list(TERMS)),
    model_row=st.sampled_from(list(packaged().models)),
    service_class=st.sampled_from(["standard", "priority"]),
    hosting=st.sampled_from(list(packaged().hosting)),
)


def half_away(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


class TestWorkedExample:
    """gpt-4o on OpenAI: tier large, 40 requests with 24,000 output, 120,000 uncached and 30,000 cached tokens.

    Grid   349.7 g/kWh published, direct, x 1.1 upstream x 1.042 for losses       = 400.82614 g/kWh
    Median 1.15 (PUE) x 400.82614 + 25 (embodied)                                 = 485.950061 g per kWh of IT energy
    Mean   460.950061 x exp((0.058269² + 0.405465²) / 2) + 25 x exp(0.587787² / 2)
           = 501.291757 + 29.714127                                               = 531.005884 g
    kv     24,000 x (2 x 150,000 + 24,000) / (2 x 40)                             = 97,200,000 tokens of context
    """

    def test_central(self):
        found = figures(combination().rates, Tokens(120_000, 30_000, 0, None, 24_000), 40)

        # output          24,000 x 0.6    x 485.950061        = 6,997,680.8784
        # input_uncached 120,000 x 0.065  x 485.950061        = 3,790,410.4758
        # cache_read      30,000 x 0.002  x 485.950061        =    29,157.00366
        # kv          97,200,000 x 0.0155 x 485.950061 / 1000 =   732,132.3619
        assert found.central_ug == {
            "output": 6_997_681,
            "input_uncached": 3_790_410,
            "cache_read": 29_157,
            "cache_write": 0,
            "cache_write_long": 0,
            "kv": 732_132,
        }

    def test_mean(self):
        found = figures(combination().rates, Tokens(120_000, 30_000, 0, None, 24_000), 40)

        # Each x 531.005884 x exp((0.588² + 0.405² + ln_sd of the term²) / 2), which is for
        # output (0.648615) 1.592389, input (0.257357) 1.333758, cached (0.928011) 1.984738, kv (0.58991) 1.535539:
        # 24,000 x 507.340659; 120,000 x 46.035181; 30,000 x 2.107815; 97,200,000 x 0.012638393
        assert found.mean_ug == {
            "output": 12_176_176,
            "input_uncached": 5_524_222,
            "cache_read": 63_234,
            "cache_write": 0,
            "cache_write_long": 0,
            "kv": 1_228_452,
        }

    def test_energy(self):
        found = figures(combination().rates, Tokens(120_000, 30_000, 0, None, 24_000), 40)

        # 1.15 x 1000 x (0.6 x 24,000 + 0.065 x 120,000 + 0.002 x 30,000 + 0.0000155 x 97,200,000)
        # = 16,560,000 + 8,970,000 + 69,000 + 1,732,590
        assert found.energy_uwh == 27_331_590


class TestExamples:
    @pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['provider']} {row['model']}")
    def test_meet_every_rate(self, row):
        rates = combination_of(row).rates

        said = {
            term: {name: str(unscaled(value)) for name, value in rate._asdict().items()}
            for term, rate in rates.items()
        }
        assert said == row["rates"]

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['provider']} {row['model']}")
    def test_meet_every_part(self, row):
        found = figures_of(row)

        assert (found.central_ug, found.mean_ug) == (row["central_ug"], row["mean_ug"])
        assert found.energy_uwh == row["energy_uwh"]

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_sum_to_their_totals(self, name):
        rows = [figures_of(row) for row in EXAMPLES[name]["rows"]]

        total = EXAMPLES[name]["total"]
        assert sum(sum(row.central_ug.values()) for row in rows) == total["central_ug"]
        assert sum(sum(row.mean_ug.values()) for row in rows) == total["mean_ug"]
        assert sum(row.energy_uwh for row in rows) == total["energy_uwh"]


class TestRates:
    @given(keys)
    @settings(max_examples=30, deadline=None)
    def test_are_products_of_factors_rounded_once(self, key):
        made = packaged().combine(key)

        per_kwh = Fraction(made.pue.value) * Fraction(made.grid.value) + Fraction(made.embodied.value)
        for term, factor in made.energy.items():
            use = Fraction(factor.value) * Fraction(made.service.value) / (1000 if term == "kv" else 1)
            assert made.rates[term].central == half_away(use * per_kwh * SCALE)
            assert made.rates[term].energy == half_away(use * Fraction(made.pue.value) * 1000 * SCALE)

    @given(keys)
    @settings(max_examples=30, deadline=None)
    def test_have_a_mean_above_the_median_by_half_the_variance(self, key):
        made = packaged().combine(key)

        def spread(*deviations: Decimal) -> float:
            return exp(sum(float(deviation) ** 2 for deviation in deviations) / 2)

        for term, factor in made.energy.items():
            shared = (made.method.ln_sd, factor.ln_sd, made.model.ln_sd)
            electricity = float(made.pue.value * made.grid.value)
            electricity *= spread(*shared, made.pue.ln_sd, made.hosting.grid_ln_sd)
            embodied = float(made.embodied.value) * spread(*shared, made.embodied.ln_sd)
            use = float(factor.value * made.service.value) / (1000 if term == "kv" else 1)
            assert made.rates[term].mean / SCALE == pytest.approx(use * (electricity + embodied), rel=1e-12)

    def test_of_output_are_the_same_with_and_without_requests(self):
        event, bucket = combination(requests=40).rates, combination(requests=None).rates

        assert event["output"] == bucket["output"]
        assert event["cache_read"] != bucket["cache_read"]

    def test_rise_with_a_service_that_hurries(self):
        standard, fast = combination().rates["output"], combination(service_tier="fast").rates["output"]

        assert fast.central * 10 == standard.central * 16


class TestFigures:
    @given(tokens, requests)
    @settings(deadline=None)
    def test_are_rounded_once_half_away_from_zero(self, counted, n):
        rates = combination().rates

        found = figures(rates, counted, n)

        activity = activities(counted, n)
        for term, rate in rates.items():
            assert found.central_ug[term] == half_away(activity[term] * Fraction(rate.central, SCALE))
            assert found.mean_ug[term] == half_away(activity[term] * Fraction(rate.mean, SCALE))

    @given(tokens, requests)
    @settings(deadline=None)
    def test_have_an_energy_rounded_once_over_all_terms(self, counted, n):
        rates = combination().rates

        found = figures(rates, counted, n)

        activity = activities(counted, n)
        energy = sum(activity[term] * Fraction(rate.energy, SCALE) for term, rate in rates.items())
        assert found.energy_uwh == half_away(energy)

    @given(tokens)
    @settings(deadline=None)
    def test_need_no_requests(self, counted):
        rates = combination(requests=None).rates

        found = figures(rates, counted, None)

        assert found == figures(rates, counted, 0)
        assert sum(found.central_ug.values()) == sum(
            half_away(activities(counted, 1)[term] * Fraction(rate.central, SCALE))
            for term, rate in rates.items()
        )

    @given(tokens, requests)
    @settings(deadline=None)
    def test_keep_the_means_that_bounds_are_made_of(self, counted, n):
        found = figures(combination().rates, counted, n)

        for term, mean in found.mean_ug.items():
            assert found.expected_ug[term] == pytest.approx(mean, abs=0.5, rel=1e-12)

    def test_count_what_is_not_stated_as_nothing(self):
        rates = combination().rates

        assert figures(rates, Tokens(output=7), 1) == figures(rates, Tokens(0, 0, 0, 0, 7), 1)

    @pytest.mark.parametrize("n", [None, 0])
    def test_refuse_rates_by_event_without_requests(self, n):
        with pytest.raises(ValueError, match="do not go with rates"):
            figures(combination().rates, Tokens(output=7), n)

    def test_refuse_rates_by_bucket_with_requests(self):
        with pytest.raises(ValueError, match="do not go with rates"):
            figures(combination(requests=None).rates, Tokens(output=7), 1)

    @pytest.mark.parametrize("counted", [Tokens(output=-1), Tokens(cache_write=4, cache_write_long=5)])
    def test_refuse_less_than_nothing(self, counted):
        with pytest.raises(ValueError, match="less than nothing"):
            figures(combination().rates, counted, 1)


def activities(counted: Tokens, n: int) -> dict[str, Fraction]:
    """The activity of each term, as the words have it."""
    uncached, read, written, long, output = (Fraction(count or 0) for count in counted)
    whole = uncached + read + written
    return {
        "output": output,
        "input_uncached": uncached,
        "cache_read": read,
        "cache_write": written - long,
        "cache_write_long": long,
        "kv": output * (whole / n + output / n / 2),  # each output token reads the context of its request
    }


class TestMode:
    @pytest.mark.parametrize(("n", "mode"), [(None, "bucket"), (0, "bucket"), (1, "event"), (40, "event")])
    def test_is_by_event_where_requests_are_known(self, n, mode):
        assert mode_of(n) == mode


class TestEmbodiedShare:
    @pytest.mark.parametrize("term", TERMS["bucket"])
    def test_is_one_number_for_all_terms(self, term):
        made = combination()

        bare = float(made.energy[term].value * made.embodied.value)
        deviations = (made.method, made.energy[term], made.model, made.embodied)
        embodied = bare * exp(sum(float(factor.ln_sd) ** 2 for factor in deviations) / 2)
        assert made.spread.embodied_share == pytest.approx(
            embodied / (made.rates[term].mean / SCALE), rel=1e-9
        )
