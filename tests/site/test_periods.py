from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbon_site.periods import Period

OCTOBER = Period.month(2026, 10)
TICK = timedelta(microseconds=1)
months = st.builds(Period.month, st.integers(1970, 2200), st.integers(1, 12))
instants = st.builds(
    lambda month, since: month.start + since, months, st.timedeltas(timedelta(0), timedelta(31))
)


class TestPeriod:
    @pytest.mark.parametrize(
        ("instant", "is_inside"),
        [
            (OCTOBER.start - TICK, False),
            (OCTOBER.start, True),
            (OCTOBER.end - TICK, True),
            (OCTOBER.end, False),
        ],
    )
    def test_holds_its_start_and_not_its_end(self, instant, is_inside):
        assert (instant in OCTOBER) is is_inside

    def test_refuses_a_time_without_a_zone(self):
        with pytest.raises(ValueError, match="not in UTC"):
            Period(OCTOBER.start.replace(tzinfo=None), OCTOBER.end)

    def test_refuses_another_zone(self):
        elsewhere = OCTOBER.start.astimezone(timezone(timedelta(hours=2)))

        with pytest.raises(ValueError, match="not in UTC"):
            Period(elsewhere, OCTOBER.end)

    @pytest.mark.parametrize("end", [OCTOBER.start, OCTOBER.start - TICK])
    def test_refuses_to_end_before_it_has_begun(self, end):
        with pytest.raises(ValueError, match="does not end after its start"):
            Period(OCTOBER.start, end)

    def test_reads_as_an_interval(self):
        assert str(OCTOBER) == "[2026-10-01T00:00:00+00:00, 2026-11-01T00:00:00+00:00)"


class TestMonth:
    @pytest.mark.parametrize(("year", "month", "days"), [(2026, 2, 28), (2028, 2, 29), (2026, 12, 31)])
    def test_is_as_long_as_in_the_calendar(self, year, month, days):
        period = Period.month(year, month)

        assert period.end - period.start == timedelta(days=days)

    def test_is_named_by_its_first_day(self):
        assert OCTOBER.first_day == date(2026, 10, 1)

    @given(instants)
    @settings(deadline=None)
    def test_is_found_by_an_instant_in_it(self, instant):
        assert instant in Period.containing(instant)

    def test_is_of_utc(self):
        # Half past midnight on the first of November in Berlin is still October.
        berlin = datetime(2026, 11, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))

        assert Period.containing(berlin) == OCTOBER

    @given(months)
    @settings(deadline=None)
    def test_has_neighbours(self, month):
        assert (month.before().end, month.after().start) == (month.start, month.end)
        assert month.before().after() == month

    def test_comes_before_that_of_a_span_within_it(self):
        span = Period(OCTOBER.end - TICK, OCTOBER.end)

        assert (span.before(), span.after()) == (Period.month(2026, 9), Period.month(2026, 11))


class TestMonths:
    def test_are_those_that_a_span_touches(self):
        span = Period(datetime(2026, 11, 30, 23, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))

        assert list(span.months()) == [
            Period.month(2026, 11),
            Period.month(2026, 12),
            Period.month(2027, 1),
        ]

    @given(instants, st.timedeltas(TICK, timedelta(days=1000)))
    @settings(deadline=None)
    def test_cover_it_without_gap(self, start, length):
        span = Period(start, start + length)

        touched = list(span.months())

        assert all(earlier.end == later.start for earlier, later in pairwise(touched))
        assert start in touched[0]
        assert span.end - TICK in touched[-1]
