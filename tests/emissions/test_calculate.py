"""What SQL makes of the ledger: the worked numbers to the last microgram, and the same as Python for any row."""

import random
from datetime import timedelta
from math import gcd

import pytest
from django.db import IntegrityError
from django.db.models import Sum
from django.db.models.functions import TruncDay

from carbon_site.units import SCALE
from emissions.calculate import combination_id
from emissions.factor_document import packaged
from emissions.methodology import TERMS, Tokens, figures
from emissions.models import (
    CarbonCalculation,
    CarbonFactors,
    FactorCombination,
    MonthFactors,
    UsageDay,
    UsageHour,
)
from emissions.publish import newest
from telemetry.models import TelemetryEvent
from tests import make
from tests.emissions.examples import ROWS, combination

ALL_TERMS = TERMS["event"]
MODELS = ["gpt-4o", "gpt-5-mini", "gpt-5-nano", "o3-pro", "qwen3-235b-a22b", "some-new-model", None]


@pytest.fixture
def source(acme):
    return make.connection(make.project(acme))


def parts(calculation: CarbonCalculation, kind: str) -> dict[str, int]:
    return {term: getattr(calculation, f"{kind}_{term}_ug") for term in ALL_TERMS}


@pytest.mark.django_db
class TestWorkedNumbers:
    @pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']}, {row['requests']}")
    def test_are_met_to_the_last_microgram(self, acme, row):
        source = make.connection(make.project(acme), provider=row["provider"])
        region = next(iter(row["signal"].values()), None)
        make.record(
            source,
            make.usage_row(
                model=row["model"],
                service_tier=row["service_tier"],
                region=region,
                requests=row["requests"],
                **row["tokens"],
            ),
        )

        made = CarbonCalculation.unscoped.get()

        zero = dict.fromkeys(ALL_TERMS, 0)
        assert parts(made, "central") == zero | row["central_ug"]
        assert parts(made, "mean") == zero | row["mean_ug"]
        assert made.energy_uwh == row["energy_uwh"]


def random_row(dice: random.Random, number: int):
    """Small counts often, so that many parts are halves or nearly; each class may be unknown."""

    def count(most: int) -> int | None:
        return dice.choice([None, 0, dice.randrange(10), dice.randrange(most)])

    written = count(10**6)
    return make.usage_row(
        starts_at=make.NOW - timedelta(hours=1 + number % 700),
        model=dice.choice(MODELS),
        service_tier=dice.choice([None, "default", "priority", "batch"]),
        api_key=f"key_{number}",
        input_uncached=count(10**7),
        cache_read=count(10**7),
        cache_write=written,
        cache_write_long=None if written is None else dice.choice([None, 0, written, written // 2]),
        output=count(10**6),
        requests=count(10**4),
    )


def check_against_python(source, rows) -> int:
    """Every calculation in the database is what the Python formula says; answers with how many there were."""
    make.record(source, *rows)
    made = {row.event_id: row for row in CarbonCalculation.unscoped.current()}
    events = list(TelemetryEvent.unscoped.current())
    for event in events:
        tokens = Tokens(
            event.input_uncached, event.cache_read, event.cache_write, event.cache_write_long, event.output
        )
        expected = figures(
            combination(model=event.model, service_tier=event.service_tier, requests=event.requests).rates,
            tokens,
            event.requests,
        )
        found = made[event.pk]
        zero = dict.fromkeys(ALL_TERMS, 0)
        assert parts(found, "central") == zero | expected.central_ug
        assert parts(found, "mean") == zero | expected.mean_ug
        assert found.energy_uwh == expected.energy_uwh
    return len(events)


@pytest.mark.django_db
class TestSqlAndPython:
    def test_agree_on_random_rows(self, source):
        dice = random.Random(20261125)

        assert check_against_python(source, [random_row(dice, number) for number in range(1_000)]) == 1_000

    @pytest.mark.proof
    def test_agree_on_ten_thousand_random_rows(self, source):
        dice = random.Random(11)

        assert check_against_python(source, [random_row(dice, number) for number in range(10_000)]) == 10_000

    def test_agree_on_halves(self, source):
        rates = combination(requests=None).rates
        halves = {
            term: found
            for term, rate in rates.items()
            if (found := tokens_for_a_half(rate.central)) and term in PLAIN
        }
        rows = [make.usage_row(api_key=term, **{term: tokens}) for term, tokens in halves.items()]

        assert len(halves) > 1
        assert check_against_python(source, rows) == len(halves)


PLAIN = ("output", "input_uncached", "cache_read")


def tokens_for_a_half(rate: int) -> int | None:
    """How many tokens make a part that is exactly a half, if a number that fits the column does."""
    common = gcd(rate, SCALE)
    if (SCALE // 2) % common:
        return None
    modulus = SCALE // common
    tokens = SCALE // 2 // common * pow(rate // common, -1, modulus) % modulus
    return tokens if tokens < 10**12 else None


@pytest.mark.django_db
class TestCalculation:
    def test_follows_a_revision(self, source):
        make.record(source, make.usage_row(output=10, requests=1))

        make.record(source, make.usage_row(output=20, requests=1))

        current, old = CarbonCalculation.unscoped.order_by("superseded_at")
        assert old is not None
        assert {current.superseded_at is None, old.superseded_at is None} == {True, False}
        assert sum(row.events for row in UsageHour.unscoped.all()) == 1

    def test_moves_from_one_combination_to_another(self, source):
        """Requests that become known change the mode, and so the row of the roll-up."""
        make.record(source, make.usage_row(output=10))

        make.record(source, make.usage_row(output=10, requests=2))

        rows = {row.combination_id: row for row in UsageDay.unscoped.all()}
        assert sorted(row.events for row in rows.values()) == [0, 1]
        assert (
            sum(row.energy_uwh for row in rows.values())
            == CarbonCalculation.unscoped.current().get().energy_uwh
        )

    def test_is_made_of_the_sum_of_rows_with_one_identity_in_a_page(self, source):
        one, other = make.usage_row(output=10, requests=1), make.usage_row(output=5, cache_read=2, requests=1)

        make.record(source, one, other)

        event = TelemetryEvent.unscoped.get()
        assert (event.output, event.cache_read, event.requests, event.is_summed) == (15, 2, 2, True)

    def test_is_not_made_of_what_is_not_estimated(self, source):
        make.record(
            source,
            make.usage_row(
                family="embeddings", model="text-embedding-3-small", input_uncached=100, requests=3
            ),
        )
        make.record(
            source,
            make.usage_row(family="images", model="gpt-image-1", quantity=4, unit="images", requests=4),
        )

        assert not CarbonCalculation.unscoped.exists()
        assert {row.combination_id for row in UsageDay.unscoped.all()} == {None}
        assert UsageDay.unscoped.aggregate(tokens=Sum("input_uncached"), asked=Sum("requests")) == {
            "tokens": 100,
            "asked": 7,
        }

    def test_uses_the_set_that_the_month_began_with(self, source):
        make.record(source, make.usage_row(output=1))

        months = MonthFactors.unscoped.values_list("month", "factors__version")

        assert [(month.isoformat(), version) for month, version in months] == [("2026-11-01", "2026.11")]

    def test_names_a_combination_by_what_it_is_made_of(self, source):
        make.record(source, make.usage_row(output=1))

        assert FactorCombination.objects.get().pk == combination_id(
            packaged().sha256, combination(model="gpt-4o", requests=None)
        )

    def test_sums_hours_to_days(self, source):
        dice = random.Random(7)
        make.record(source, *[random_row(dice, number) for number in range(300)])

        def by_day(table):
            days = TruncDay("starts_at")
            rows = table.unscoped.annotate(day=days).values("day", "model", "combination_id")
            return set(
                rows.annotate(mean=Sum("mean_output_ug"), asked=Sum("requests")).values_list(
                    "day", "model", "combination_id", "mean", "asked"
                )
            )

        assert by_day(UsageHour) == by_day(UsageDay)


@pytest.mark.django_db
class TestPublished:
    @pytest.mark.parametrize("act", [lambda rows: rows.update(version="2026.12"), lambda rows: rows.delete()])
    def test_sets_are_final(self, act):
        with pytest.raises(IntegrityError, match="is final"):
            act(CarbonFactors.objects.all())

    @pytest.mark.parametrize("act", [lambda rows: rows.update(tier="nano"), lambda rows: rows.delete()])
    def test_combinations_are_final(self, source, act):
        make.record(source, make.usage_row(output=1))

        with pytest.raises(IntegrityError, match="is final"):
            act(FactorCombination.objects.all())

    def test_set_comes_with_the_program(self):
        assert (newest().version, newest().sha256) == ("2026.11", packaged().sha256)
