"""The close: a month is frozen once, and what comes later becomes an adjustment; nothing is lost between the two."""

import hashlib
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection

from billing import close
from billing.models import BillingPeriod, PriorPeriodAdjustment
from carbon_site.periods import Period
from connections.models import ProviderConnection
from emissions.models import CarbonCalculation, MonthFactors
from projects import tenancy
from projects.models import Organization
from telemetry.models import SealedMonth, TelemetryEvent
from tests import make

OCTOBER, NOVEMBER = Period.month(2026, 10), Period.month(2026, 11)
SETTLED = OCTOBER.end + timedelta(hours=48)
IN_OCTOBER = datetime(2026, 10, 7, 9, tzinfo=UTC)
State = BillingPeriod.State


@pytest.fixture
def source(acme):
    return make.connection(make.project(acme))


@pytest.fixture
def october(source) -> BillingPeriod:
    """An open October with usage in it."""
    rows = [
        make.usage_row(
            starts_at=IN_OCTOBER + timedelta(hours=hour), model=model, output=1000 + hour, requests=3
        )
        for hour in range(5)
        for model in ("gpt-4o", "gpt-5-nano")
    ]
    make.record(source, *rows)
    close.make_periods(organization_id=source.organization_id, now=make.NOW)
    return period(OCTOBER)


def period(month: Period) -> BillingPeriod:
    return BillingPeriod.unscoped.get(month=month.first_day)


def freeze(period: BillingPeriod, now: datetime = SETTLED) -> BillingPeriod:
    return close.freeze(organization_id=period.organization_id, period_id=period.pk, now=now)


def mean_of_october() -> int:
    current = CarbonCalculation.unscoped.current().filter(starts_at__lt=OCTOBER.end)
    return sum(getattr(row, f"mean_{term}_ug") for row in current for term in make.TERMS)


@pytest.mark.django_db
class TestFirstReading:
    def frozen(self, source, **columns) -> int:
        connections = ProviderConnection.unscoped.filter(pk=source.pk)
        connections.update(last_success_at=None, created_at=SETTLED, **columns)
        return close.close(organization_id=source.organization_id, now=SETTLED)

    def test_is_waited_for(self, source, october):
        assert self.frozen(source) == 0

    @pytest.mark.parametrize(
        "columns",
        [{"consecutive_failures": 1}, {"is_paused": True}, {"status": "invalid_credentials"}],
    )
    def test_that_does_not_come_is_not_waited_for(self, source, october, columns):
        assert self.frozen(source, **columns) == 1

    def test_is_waited_for_a_day_at_most(self, source, october):
        ProviderConnection.unscoped.update(last_success_at=None, created_at=SETTLED - timedelta(days=1))

        assert close.close(organization_id=source.organization_id, now=SETTLED) == 1


@pytest.mark.django_db
class TestPeriods:
    def test_reach_from_the_first_usage_to_this_month_without_gaps(self, source):
        make.record(source, make.usage_row(starts_at=datetime(2026, 8, 31, 23, tzinfo=UTC), output=1))

        close.make_periods(organization_id=source.organization_id, now=make.NOW)

        months = BillingPeriod.unscoped.order_by("month").values_list("month", flat=True)
        assert [f"{month:%Y-%m}" for month in months] == ["2026-08", "2026-09", "2026-10", "2026-11"]

    def test_of_an_organization_without_usage_begin_now(self, acme):
        for _ in range(2):
            close.make_periods(organization_id=acme.pk, now=make.NOW)

        assert [str(each) for each in BillingPeriod.unscoped.all()] == ["2026-11"]


@pytest.mark.django_db
class TestFreeze:
    def test_fixes_the_figures(self, october):
        frozen = freeze(october)

        assert (frozen.state, frozen.frozen_at, frozen.mean_ug) == (State.FROZEN, SETTLED, mean_of_october())
        assert frozen.low_ug < frozen.central_ug < frozen.mean_ug < frozen.high_ug
        assert (frozen.events, frozen.factors.version) == (10, "2026.11")
        assert sum(sum(sums["mean_ug"].values()) for sums in frozen.combinations) == frozen.mean_ug

    def test_seals_the_month_with_it(self, october):
        frozen = freeze(october)

        assert SealedMonth.unscoped.get(month=OCTOBER.first_day).observed_at == frozen.sealed_at

    def test_refuses_until_usage_has_settled(self, october):
        with pytest.raises(close.PeriodNotDue):
            freeze(october, SETTLED - timedelta(microseconds=1))

    def test_twice_changes_nothing(self, october):
        first = freeze(october)

        again = freeze(october, SETTLED + timedelta(days=1))

        assert (again.frozen_at, again.sealed_at) == (first.frozen_at, first.sealed_at)

    def test_stands_for_the_ledger_rows_by_their_root(self, source, acme):
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="gpt-4o", output=24_000, requests=40))
        close.make_periods(organization_id=acme.pk, now=make.NOW)

        frozen = freeze(period(OCTOBER))

        event, figure = TelemetryEvent.unscoped.get(), CarbonCalculation.unscoped.get()
        central, mean = (
            ",".join(str(getattr(figure, f"{kind}_{term}_ug")) for term in make.TERMS)
            for kind in ("central", "mean")
        )
        line = (
            f'["{bytes(event.identity).hex()}",1,"2026-10-07T09:00:00Z","{event.project_id}","{event.workload_id}","openai",'
            f'"gpt-4o",null,null,null,null,null,24000,40,"{figure.combination_id}",{central},{mean},{figure.energy_uwh}]'
        )
        assert bytes(frozen.root) == hashlib.sha256(b"\x00" + line.encode()).digest()

    def test_of_an_empty_month_stands_for_nothing(self, acme, source):
        make.record(source, make.usage_row(starts_at=datetime(2026, 9, 1, tzinfo=UTC), output=1))
        close.make_periods(organization_id=acme.pk, now=make.NOW)

        frozen = freeze(period(OCTOBER))

        assert (frozen.mean_ug, frozen.events, frozen.retire_mg) == (0, 0, 0)
        assert bytes(frozen.root) == hashlib.sha256(b"").digest()
        assert MonthFactors.unscoped.filter(month=OCTOBER.first_day).exists()

    def test_retires_the_expected_value_rounded_up_unless_the_organization_says_otherwise(self, october):
        Organization.objects.update(retire_basis="high")

        frozen = freeze(october)

        assert (frozen.retire_basis, frozen.retire_mg) == ("high", -(-frozen.high_ug // 1000))

    @pytest.mark.parametrize("change", [{"mean_ug": 0}, {"state": "open"}, {"root": b"x" * 32}])
    def test_is_for_ever(self, october, change):
        frozen = freeze(october)

        with pytest.raises(IntegrityError):
            BillingPeriod.unscoped.filter(pk=frozen.pk).update(**change)


@pytest.mark.django_db
class TestAdjustments:
    def close(self, acme, now=SETTLED):
        return close.close(organization_id=acme.pk, now=now)

    def test_take_in_what_came_after_the_seal(self, acme, october, source):
        self.close(acme)
        before = mean_of_october()
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=500, requests=1))
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="gpt-4o", output=9000, requests=3))

        self.close(acme)

        adjustment = PriorPeriodAdjustment.unscoped.get()
        assert (adjustment.month, adjustment.period.month) == (OCTOBER.first_day, NOVEMBER.first_day)
        assert (adjustment.mean_ug, adjustment.events) == (mean_of_october() - before, 2)
        assert period(OCTOBER).mean_ug == before

    def test_are_made_once(self, acme, october, source):
        self.close(acme)
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=500, requests=1))

        for _ in range(3):
            self.close(acme)

        assert PriorPeriodAdjustment.unscoped.count() == 1

    def test_go_on_from_the_last_one(self, acme, october, source):
        self.close(acme)
        before = mean_of_october()
        for output in (500, 700, 100):
            make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=output, requests=1))
            self.close(acme)

        noted = list(PriorPeriodAdjustment.unscoped.order_by("since"))

        assert [one.until for one in noted[:-1]] == [other.since for other in noted[1:]]
        assert sum(each.mean_ug for each in noted) == mean_of_october() - before
        assert noted[-1].mean_ug < 0

    def test_are_retired_with_the_next_period(self, acme, october, source):
        self.close(acme)
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=50_000, requests=1))

        self.close(acme, NOVEMBER.end + timedelta(hours=48))

        november, (adjustment,) = period(NOVEMBER), PriorPeriodAdjustment.unscoped.all()
        assert november.retire_mg == -(-(november.mean_ug + adjustment.mean_ug) // 1000)

    def test_that_are_negative_are_carried(self, acme, october, source):
        self.close(acme)
        make.record(source, *[make.usage_row(starts_at=IN_OCTOBER, model="gpt-4o", output=0, requests=3)])

        self.close(acme, NOVEMBER.end + timedelta(hours=48))

        november, adjustment = period(NOVEMBER), PriorPeriodAdjustment.unscoped.get()
        assert (november.retire_mg, november.carried_out_mg) == (0, -(-adjustment.mean_ug // 1000))
        assert november.carried_out_mg < 0

    def test_that_were_carried_are_found_by_whichever_period_freezes_next(self, acme, october, source):
        """A second account may bring a month older than all that were frozen."""
        self.close(acme)
        make.record(source, *[make.usage_row(starts_at=IN_OCTOBER, model="gpt-4o", output=0, requests=3)])
        self.close(acme, NOVEMBER.end + timedelta(hours=48))
        carried = period(NOVEMBER).carried_out_mg
        make.record(
            source,
            make.usage_row(starts_at=IN_OCTOBER - timedelta(days=30), model="o3", output=10**6, requests=1),
        )

        self.close(acme, NOVEMBER.end + timedelta(hours=49))

        september = period(Period.month(2026, 9))
        assert (carried < 0, september.carried_in_mg) == (True, carried)

    def test_are_final(self, acme, october, source):
        self.close(acme)
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=500))
        self.close(acme)

        with pytest.raises(IntegrityError, match="is final"):
            PriorPeriodAdjustment.unscoped.update(mean_ug=0)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def run(self, *jobs) -> None:
        """Each in a thread and a connection of its own."""
        errors: list[BaseException] = []

        def work(job) -> None:
            try:
                job()
            except BaseException as error:
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []

    def test_eight_closes_freeze_once(self):
        acme = make.organization("acme")
        make.record(
            make.connection(make.project(acme)), make.usage_row(starts_at=IN_OCTOBER, output=5, requests=1)
        )

        def work() -> None:
            with tenancy.organization(acme.pk):
                close.close(organization_id=acme.pk, now=SETTLED)

        self.run(*[work] * 8)

        with tenancy.organization(acme.pk):
            assert (
                SealedMonth.unscoped.count() == BillingPeriod.unscoped.filter(state=State.FROZEN).count() == 1
            )

    def test_no_gram_falls_between_pages_and_a_freeze(self):
        acme = make.organization("acme")
        source = make.connection(make.project(acme))
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, output=5, requests=1))

        def page(number: int):
            return lambda: make.record(
                source,
                make.usage_row(
                    starts_at=IN_OCTOBER, api_key=f"key_{number}", output=1000 + number, requests=1
                ),
            )

        def freeze_it() -> None:
            with tenancy.organization(acme.pk):
                close.close(organization_id=acme.pk, now=SETTLED)

        self.run(
            *[page(number) for number in range(6)], freeze_it, *[page(number) for number in range(6, 12)]
        )

        with tenancy.organization(acme.pk):
            close.close(organization_id=acme.pk, now=SETTLED)
            later = sum(each.mean_ug for each in PriorPeriodAdjustment.unscoped.all())
            assert period(OCTOBER).mean_ug + later == mean_of_october()
            assert (
                period(OCTOBER).events + sum(each.events for each in PriorPeriodAdjustment.unscoped.all())
                == 13
            )


@pytest.mark.django_db
class TestOverRest:
    def test_a_period_says_where_it_stands(self, admin, october):
        freeze(october)

        said = {each["month"]: each for each in admin.get("/api/v1/billing/periods").json()["results"]}

        frozen = said["2026-10-01"]
        assert (frozen["standing"], frozen["closes_at"]) == ("calculating", "2026-11-03T00:00:00Z")
        assert frozen["co2e_g"]["mean"] == mean_of_october() / 1_000_000
        assert frozen["retire_mg"] == str(-(-mean_of_october() // 1000))
        assert said["2026-11-01"]["co2e_g"] is None

    def test_adjustments_are_listed(self, admin, acme, october, source):
        close.close(organization_id=acme.pk, now=SETTLED)
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=500))
        close.close(organization_id=acme.pk, now=SETTLED)

        (said,) = admin.get("/api/v1/adjustments").json()["results"]

        assert (said["month"], said["events"]) == ("2026-10-01", 1)
