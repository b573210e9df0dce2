"""The pages that were kept are the ledger: read again in their order, they make it once more, to the microsecond."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db.transaction import atomic

from connections.models import ProviderConnection
from connections.providers import Page
from connections.providers.registry import http_client, provider_for
from emissions.models import CarbonCalculation, UsageDay, UsageHour
from telemetry import ingest
from telemetry.models import Ledger, RawPage, TelemetryEvent
from telemetry.poll import poll
from tests import make
from tests.conftest import NAME

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RULES = {"Agents": [{"model": "gpt-5.2*"}], "Nightly": [{"model": "gpt-5-mini*"}, {"provider": "nobody"}]}
MADE: list[Any] = [TelemetryEvent, RawPage, CarbonCalculation, UsageHour, UsageDay]
OTHERWISE = {"id", "event_id"}  # drawn anew each time

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sources(acme, sandbox, settings):
    """Two accounts, read while their last hours grew and again when these were whole, into three workloads."""
    settings.OPENAI_BASE_URL = sandbox.openai
    project = make.project(acme)
    for name, rules in RULES.items():
        make.workload(project, name, rules=rules)
    begin = NOW - timedelta(hours=18)
    sources = [
        make.connection(project, account=f"org-{name}", api_key=sandbox.key(name), read_from=begin)
        for name in ("replayed", "replayed-too")
    ]
    sandbox.fault("growing", buckets=3)
    read(sandbox, sources, NOW)
    sandbox.heal()
    read(sandbox, sources, NOW + timedelta(hours=2))
    yield sources
    sandbox.clock()


def read(sandbox: Any, sources: list[ProviderConnection], now: datetime) -> None:
    sandbox.clock(now)
    for source in sources:
        poll(organization_id=source.organization_id, connection_id=source.pk, now=now)


def contents(model: Any) -> list[dict[str, Any]]:
    names = [field.attname for field in model._meta.fields if field.attname not in OTHERWISE]
    return sorted(model.unscoped.values(*names), key=repr)


def empty() -> None:
    """As the owner of the tables."""
    tables = ", ".join(model._meta.db_table for model in [*MADE, Ledger])
    with psycopg.connect(settings.DATABASE_OWNER_URL, dbname=NAME) as owner:
        owner.execute(f"TRUNCATE {tables}")


def replay(page: RawPage) -> None:
    source, raw = page.connection, ingest.raw(page)
    provider = provider_for(source.provider, http_client(), secret="", account=source.account or "")
    rows = provider.rows(page.family, json.loads(raw))
    with atomic():
        ingest.record(source, page.family, Page(raw, rows, None), page.observed_at)


class TestReplay:
    def test_into_an_empty_database_gives_the_same_ledger_and_figures(self, sources):
        pages = list(RawPage.unscoped.select_related("connection").order_by("observed_at"))
        before = {model: contents(model) for model in MADE}
        empty()

        for page in pages:
            replay(page)

        assert {model: contents(model) for model in MADE} == before
        assert {(row["connection_id"], row["revision"]) for row in before[TelemetryEvent]} == {
            (source.pk, revision) for source in sources for revision in (1, 2)
        }
        assert len({row["workload_id"] for row in before[TelemetryEvent]}) == 3
