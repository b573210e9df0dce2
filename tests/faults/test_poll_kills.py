"""Reading while everything goes wrong: each fault of the provider in its turn, and readers that die at random statements.

At the end the ledger says what was used, to the token, and all that follows from the ledger says the same.
"""

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from random import Random
from signal import SIGKILL
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Sum
from django.db.transaction import atomic

from carbon_site.ids import new_id
from carbon_site.sandbox.faults import KINDS
from connections import services
from connections.models import ProviderConnection
from connections.providers import ProviderUnavailable
from emissions.models import COUNTED, PARTS, CarbonCalculation, UsageDay, UsageHour
from projects import tenancy
from projects.models import Organization
from telemetry.coverage import coverage
from telemetry.ingest import keep_raw, raw
from telemetry.ledger import open_ledger
from telemetry.models import PollCursor, RawPage, TelemetryEvent, raw_path
from telemetry.poll import Reading, poll
from tests import make
from tests.faults.mortals import Mortals
from tests.sandbox import Sandbox
from tests.site.workers import eventually

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
REQUESTS, STEPS = 11, 400  # of one reading, about
TOLD = {  # what OpenAI counts, in our columns
    "input_tokens": ["input_uncached", "cache_read", "cache_write"],
    "input_cached_tokens": ["cache_read"],
    "input_cache_write_tokens": ["cache_write"],
    "input_cache_write_12h_tokens": ["cache_write_long"],
    "output_tokens": ["output"],
    "num_model_requests": ["requests"],
    "num_requests": ["quantity"],
}
OF_A_READING = {
    "id", "organization_id", "connection_id", "project_id", "workload_id", "revision", "observed_at",
}  # fmt: skip
FIGURES = ["energy_uwh", *PARTS]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(sandbox, settings, monkeypatch) -> Iterator[Sandbox]:
    """The sandbox at noon, as this process and its children know it."""
    settings.OPENAI_BASE_URL = sandbox.openai
    monkeypatch.setenv("OPENAI_BASE_URL", sandbox.openai)
    sandbox.clock(END)
    yield sandbox
    sandbox.heal()
    sandbox.clock()


def connect(organization: Organization, world: Sandbox, account: str, start: datetime) -> ProviderConnection:
    source = services.connect(
        organization_id=organization.pk,
        connection_id=new_id("con"),
        provider="openai",
        name="OpenAI",
        api_key=world.key(account),
        now=END,
    )
    ProviderConnection.unscoped.filter(pk=source.pk).update(read_from=start)
    return source


def read(source: ProviderConnection, now: datetime = END) -> Reading | None:
    return poll(organization_id=source.organization_id, connection_id=source.pk, now=now)


def live_through(
    world: Sandbox, source: ProviderConnection, start: datetime, faults: int, kills: int
) -> None:
    """Read on and on, each time with one fault, until END has come and so many readers have been killed."""
    dice = Random(kills)
    with Mortals() as mortals:
        for number, kind in zip(count(1), cycle(reversed(KINDS))):
            assert number < 9 * faults, "hardly anybody dies"
            now = min(start + (END - start) * number / faults, END)
            world.clock(now)
            world.fault(kind, times=1, after=dice.randrange(REQUESTS), seconds=0.1)
            while die_or_read(mortals, now, dice.randint(1, STEPS)) == -SIGKILL:
                kills -= 1
            world.heal()
            services.prove(organization_id=source.organization_id, connection_id=source.pk, now=now)
            if now == END and kills <= 0:
                return


def die_or_read(mortals: Mortals, now: datetime, dies_at: int) -> int:
    return mortals.live("job", "poll", "--now", now.isoformat(), dies_at=dies_at)


def truth(world: Sandbox, account: str, start: datetime) -> dict[tuple[str, str], int]:
    """What the account used, by family and by OpenAI's word for what is counted."""
    return {
        (family, word): total
        for family, used in world.truth(account, start, END)["usage"].items()
        for word, total in used["total"].items()
        if word in TOLD
    }


def ledger(family: str, word: str) -> int:
    return sum(sums(TelemetryEvent.unscoped.current().filter(family=family), TOLD[word]).values())


def sums(rows: Any, names: Iterable[str]) -> dict[str, int]:
    totals = rows.aggregate(**{name: Sum(name) for name in names})
    return {name: total or 0 for name, total in totals.items()}


def buckets() -> list[dict[str, Any]]:
    columns = {field.attname for field in TelemetryEvent._meta.fields} - OF_A_READING
    return list(TelemetryEvent.unscoped.current().order_by("starts_at", "identity").values(*columns))


def buckets_read_in_peace(world: Sandbox, account: str, start: datetime) -> list[dict[str, Any]]:
    """Of the same account, in the ledger of another organisation, to which nothing happened."""
    other = make.organization("peace")
    with tenancy.organization(other.pk):
        read(connect(other, world, account, start))
        return buckets()


class TestReaders:
    @pytest.mark.parametrize(
        ("days", "faults", "kills"), [(6, 4, 4), pytest.param(60, 60, 20, marks=pytest.mark.proof)]
    )
    def test_that_meet_every_fault_and_are_killed_read_every_token_once(
        self, acme, world, days, faults, kills
    ):
        start = END - days * DAY
        source = connect(acme, world, "killed", start)
        live_through(world, source, start, faults, kills)

        read(source, END + timedelta(minutes=1))  # the last fault may have told it to wait for some seconds

        used = truth(world, "killed", start)
        assert {name: ledger(*name) for name in used} == used
        assert buckets() == buckets_read_in_peace(world, "killed", start)
        for rolled_up in (UsageHour.unscoped, UsageDay.unscoped):
            assert sums(rolled_up, COUNTED) == sums(TelemetryEvent.unscoped.current(), COUNTED)
            assert sums(rolled_up, FIGURES) == sums(CarbonCalculation.unscoped.current(), FIGURES)
        assert set(PollCursor.unscoped.values_list("watermark", "page")) == {(END, None)}
        assert coverage(acme.pk, start, END, END).missing == 0
        for page in RawPage.unscoped.all():
            assert hashlib.sha256(raw(page)).digest() == page.digest

    def test_of_one_connection_at_once_are_one(self, acme, world):
        source = connect(acme, world, "twice", END - DAY)

        with ThreadPoolExecutor(2) as threads:
            with ledger_held(acme):  # until one was told that another reads, and the other waits here
                readings = [threads.submit(read_elsewhere, source) for _ in range(2)]
                eventually(lambda: any(reading.done() for reading in readings))
            results = [reading.result() for reading in readings]

        used = truth(world, "twice", END - DAY)
        assert results.count(None) == 1
        assert {name: ledger(*name) for name in used} == used


@contextmanager
def ledger_held(organization: Organization) -> Iterator[None]:
    with atomic():
        open_ledger(organization.pk)
        yield


def read_elsewhere(source: ProviderConnection) -> Reading | None:
    try:
        with tenancy.organization(source.organization_id):
            return read(source)
    finally:
        connection.close()


class TestSpanThatWasCutOff:
    def test_is_read_to_its_end_and_then_to_this_hour(self, acme, world):
        source = connect(acme, world, "cut", END - 2 * DAY)
        world.fault("duplicate", times=1)
        world.fault("broken", after=1, times=1)
        with pytest.raises(ProviderUnavailable):
            read(source, END - DAY)

        read(source)

        assert set(PollCursor.unscoped.values_list("watermark", "page")) == {(END, None)}


class TestRawPage:
    def test_that_was_half_written_by_one_who_was_killed_is_written_again(self, acme):
        page = b'{"data": []}'
        path = raw_path(acme.pk, hashlib.sha256(page).digest())
        default_storage.save(path, ContentFile(gzip.compress(page)[:-9]))

        keep_raw(acme.pk, page)

        with default_storage.open(path) as file:
            assert gzip.decompress(file.read()) == page
