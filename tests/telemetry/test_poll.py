"""Reading a provider, over HTTP, into the ledger: every token once, whatever goes wrong on the way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Sum

from connections.models import ProviderConnection
from connections.providers import ProviderUnavailable
from emissions.models import CarbonCalculation, UsageDay, UsageHour
from projects import tenancy
from telemetry import ingest
from telemetry.models import PollCursor, PollRun, RawPage, TelemetryEvent
from telemetry.poll import alone, poll
from telemetry.signals import ledger_changed
from tests import make

NOW = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)
THIS_HOUR = NOW.replace(minute=0)
DAYS = timedelta(days=3)
CLASSES = {  # ours, and what OpenAI calls it
    "cache_read": "input_cached_tokens",
    "cache_write": "input_cache_write_tokens",
    "cache_write_long": "input_cache_write_12h_tokens",
    "output": "output_tokens",
    "requests": "num_model_requests",
}
PATH = "usage/completions"


@pytest.fixture
def world(sandbox, settings):
    """The sandbox at twenty past noon, without faults, as the settings know it."""
    settings.OPENAI_BASE_URL = sandbox.openai
    sandbox.clock(NOW)
    yield sandbox
    sandbox.heal()
    sandbox.clock()


def connect(acme, world, account: str) -> ProviderConnection:
    """A connection to an account of its own, read from three days ago."""
    project = make.project(acme, account)
    return make.connection(
        project, account=f"org-{account}", api_key=world.key(account), read_from=THIS_HOUR - DAYS
    )


@pytest.fixture
def source(acme, world):
    return connect(acme, world, "poll")


def read(source: ProviderConnection, now: datetime = NOW):
    return poll(organization_id=source.organization_id, connection_id=source.pk, now=now)


def sums(rows) -> dict[str, int]:
    found = rows.aggregate(**{name: Sum(name) for name in ["input_uncached", *CLASSES]})
    return {name: total or 0 for name, total in found.items()}


def ledger(family: str = "completions") -> dict[str, int]:
    return sums(TelemetryEvent.unscoped.current().filter(family=family))


def truth(world, account: str, end: datetime = THIS_HOUR) -> dict[str, int]:
    """What the sandbox says was used, in our classes."""
    said = world.truth(account, THIS_HOUR - DAYS, end)["usage"]["completions"]["total"]
    found = {ours: said[theirs] for ours, theirs in CLASSES.items()}
    return found | {"input_uncached": said["input_tokens"] - found["cache_read"] - found["cache_write"]}


@pytest.mark.django_db
class TestPoll:
    def test_finds_every_token_once(self, source, world):
        read(source)

        assert ledger() == truth(world, "poll")

    def test_replayed_changes_nothing(self, source):
        first = read(source)

        again = read(source)

        assert first.changes == first.rows > 0
        assert (again.changes, TelemetryEvent.unscoped.count()) == (0, first.rows)

    def test_goes_on_from_where_it_was(self, source, world):
        read(source)
        later = NOW + timedelta(days=1)
        world.clock(later)

        read(source, later)

        assert ledger() == truth(world, "poll", later.replace(minute=0))

    def test_keeps_a_null_where_the_provider_says_nothing(self, source):
        read(source)

        silent = TelemetryEvent.unscoped.filter(model="gpt-3.5-turbo-0125")

        assert set(silent.values_list("cache_read", "cache_write")) == {(None, None)}
        assert silent.filter(input_uncached__gt=0).exists()

    def test_reads_the_hour_that_is_going_on_when_it_is_over(self, source, world):
        read(source)

        assert not TelemetryEvent.unscoped.filter(starts_at__gte=THIS_HOUR).exists()

    def test_keeps_the_pages_as_they_came(self, source):
        read(source)

        page = RawPage.unscoped.filter(family="completions").earliest("pk")

        assert ingest.raw(page).startswith(b"{")
        assert len(ingest.raw(page)) == page.size

    def test_of_one_connection_is_one_at_a_time(self, source):
        def try_elsewhere() -> bool:
            with alone(source.pk) as is_alone:
                found = is_alone
            connection.close()
            return found

        with alone(source.pk), ThreadPoolExecutor(1) as elsewhere:
            assert elsewhere.submit(try_elsewhere).result() is False

    def test_says_which_hours_were_observed(self, source, member):
        read(source)

        query = {"from": (THIS_HOUR - DAYS).isoformat().replace("+00:00", "Z"), "to": "2026-11-24T12:00:00Z"}
        said = make.client(source.organization).get("/api/v1/emissions/summary", query).json()["coverage"]

        assert (said["hours_expected"], said["hours_observed"], said["hours_missing"]) == (72, 72, 0)


FAULTS = {
    "throttled": {"retry_after": 7},
    "throttled_silent": {},
    "broken": {},
    "truncated": {},
    "no_cursor": {},
}


@pytest.mark.django_db
class TestFault:
    @pytest.mark.parametrize("kind", FAULTS)
    def test_that_passes_loses_nothing(self, acme, world, kind):
        source = connect(acme, world, kind.replace("_", "-"))
        world.fault(kind, times=1, path=PATH, **FAULTS[kind])
        with pytest.raises(ProviderUnavailable):
            read(source)
        world.heal()

        read(source, NOW + timedelta(minutes=5))

        assert ledger() == truth(world, kind.replace("_", "-"))

    def test_that_says_how_long_to_wait_is_waited_for(self, source, world):
        world.fault("throttled", times=1, path=PATH, retry_after=7)
        with pytest.raises(ProviderUnavailable):
            read(source)

        source.refresh_from_db()

        assert source.throttled_until == NOW + timedelta(seconds=7)
        assert read(source) is None
        assert not ProviderConnection.unscoped.due(NOW).exists()

    def test_three_times_in_a_row_degrades_and_a_good_reading_mends(self, source, world):
        world.fault("broken")
        for _ in range(3):
            with pytest.raises(ProviderUnavailable):
                read(source)
        source.refresh_from_db()
        degraded = (source.status, source.consecutive_failures)
        world.heal()

        read(source)

        source.refresh_from_db()
        assert (degraded, source.status, source.consecutive_failures) == (("degraded", 3), "active", 0)

    @pytest.mark.parametrize(
        ("kind", "status"),
        [("revoked", "invalid_credentials"), ("unscoped", "insufficient_scope"), ("quota", "billing_issue")],
    )
    def test_for_good_becomes_the_status(self, source, world, kind, status):
        world.fault(kind)

        read(source)

        source.refresh_from_db()
        assert (source.status, bool(source.status_detail)) == (status, True)

    @pytest.mark.parametrize("kind", ["broken", "same_cursor"])
    def test_on_the_second_page_goes_on_from_there(self, acme, world, kind):
        source = connect(acme, world, "paged")
        source.read_from = THIS_HOUR - timedelta(days=8)
        source.save()
        world.fault(kind, path=PATH, after=1, times=1)
        with pytest.raises(ProviderUnavailable):
            read(source)
        cursor = PollCursor.unscoped.get(family="completions")
        assert (cursor.page is not None, cursor.watermark) == (True, source.read_from)

        reading = read(source)

        assert PollCursor.unscoped.get(family="completions").watermark == THIS_HOUR
        assert reading.rows < TelemetryEvent.unscoped.count()

    def test_of_a_provider_that_refuses_the_question_is_seen_and_mends(self, source, world):
        read(source)
        PollCursor.unscoped.filter(family="completions").update(
            page="no cursor of ours", query_hash="x", span_end=THIS_HOUR
        )

        reading = read(source, NOW + timedelta(minutes=1))

        source.refresh_from_db()
        assert (reading.refused, source.status, source.consecutive_failures) == ("", "active", 0)

    def test_of_a_page_sent_twice_counts_once(self, source, world):
        world.fault("duplicate", path=PATH, times=1)

        read(source)

        assert ledger() == truth(world, "poll")

    def test_of_a_bucket_that_grew_is_a_revision(self, source, world):
        world.fault("growing", path=PATH)
        read(source)
        before = ledger()
        world.heal()

        reading = read(source)

        assert reading.changes > 0
        assert ledger() == truth(world, "poll") != before
        assert set(TelemetryEvent.unscoped.current().values_list("revision", flat=True)) == {1, 2}


@pytest.mark.django_db
class TestOrganizations:
    def test_on_one_account_keep_rows_of_their_own(self, acme, world):
        ours, rival = connect(acme, world, "shared"), make.organization("rival")
        read(ours)
        with tenancy.organization(rival.pk):
            theirs = connect(rival, world, "shared")
            read(theirs)

            assert ledger() == truth(world, "shared")
        assert ledger() == truth(world, "shared")

    def test_see_the_ledger_as_it_stood(self, acme, world):
        source = connect(acme, world, "asof")
        world.fault("growing", path=PATH)
        read(source)
        then = TelemetryEvent.unscoped.latest("observed_at").observed_at
        before = ledger()
        world.heal()
        read(source)

        assert sums(TelemetryEvent.unscoped.as_of(then).filter(family="completions")) == before


@pytest.mark.django_db
class TestRollUps:
    def test_say_what_the_ledger_says(self, source, world):
        world.fault("growing", path=PATH)
        read(source)
        world.heal()
        read(source)

        current = TelemetryEvent.unscoped.current()

        assert sums(UsageHour.unscoped) == sums(UsageDay.unscoped) == sums(current)

    def test_say_what_the_calculations_say(self, source, world):
        world.fault("growing", path=PATH)
        read(source)
        world.heal()
        read(source)

        names = [
            "energy_uwh",
            "central_output_ug",
            "mean_output_ug",
            "central_kv_ug",
            "mean_input_uncached_ug",
        ]
        figures = [
            rows.aggregate(**{name: Sum(name) for name in names})
            for rows in (CarbonCalculation.unscoped.current(), UsageHour.unscoped, UsageDay.unscoped)
        ]

        assert figures[0] == figures[1] == figures[2]
        assert figures[0]["energy_uwh"] > 0


@pytest.mark.django_db(transaction=True)
class TestTransaction:
    def test_that_a_listener_fails_in_leaves_no_event_and_no_cursor_move(self, sandbox, settings):
        settings.OPENAI_BASE_URL = sandbox.openai
        sandbox.clock(NOW)
        acme = make.organization("acme")

        def fail(**_):
            raise RuntimeError("a listener fails")

        ledger_changed.connect(fail)
        try:
            with tenancy.organization(acme.pk):
                source = connect(acme, sandbox, "fails")
                with pytest.raises(RuntimeError, match="a listener fails"):
                    read(source)

                assert not TelemetryEvent.unscoped.exists()
                assert not UsageHour.unscoped.exists()
                assert [(run.finished_at, "RuntimeError" in run.error) for run in PollRun.unscoped.all()] == [
                    (None, True)
                ]
                assert PollCursor.unscoped.get().watermark == source.read_from
        finally:
            ledger_changed.disconnect(fail)
            sandbox.clock()
