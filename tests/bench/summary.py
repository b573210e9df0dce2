"""`/emissions/summary` over HTTP, served as `make run` serves it; beside it the same answer from a hand-written service."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from urllib.parse import urlencode

import httpx
from django.conf import settings

from carbon_site.embedded import child
from carbon_site.management.commands.up import HOST, is_live, uvicorn
from connections.models import ProviderConnection
from connections.providers import UsageRow
from projects import tenancy
from telemetry.models import PollRun
from tests import make
from tests.bench.pages import MODELS
from tests.bench.pairs import PAIRS, Comparison, compare, in_turn
from tests.machine import free_port

OURS, LIMIT = "carbon_site.asgi:application", "tests.bench.hand_written:app"
FIRST = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 60
CLIENTS, SECONDS = 8, 1.5


def measure() -> Iterator[Comparison]:
    token = history()
    with server(OURS) as ours, server(LIMIT) as limit:
        for granularity in ("total", "day"):
            path = address(granularity)
            insist_equal(ours, limit, path=path, token=token)
            loads = [partial(load, port, path, token) for port in (ours, limit)]
            pairs = [in_turn(number, *loads) for number in range(PAIRS)]
            name = f"summary by model, {granularity} / FastAPI and asyncpg"
            yield compare(name, pairs, target=0.9, unit="answers/s")


def history() -> str:
    """Sixty days of hourly usage of six models, read hour by hour; a key that sees them."""
    organization = make.organization("summary", requests_a_minute=10**9)
    source = make.connection(make.project(organization), read_from=FIRST)
    hours = [FIRST + timedelta(hours=hour) for hour in range(24 * DAYS)]
    make.record(source, *(usage(hour, model) for hour, model in product(hours, MODELS)))
    with tenancy.organization(organization.pk):
        PollRun.unscoped.bulk_create(reading(source, hour) for hour in hours)
    return str(make.api_key(organization, role="member", scope="read").secret)


def usage(hour: datetime, model: str) -> UsageRow:
    return make.usage_row(
        starts_at=hour,
        model=model,
        input_uncached=12_000,
        cache_read=hour.day * 1000,
        output=3000 + hour.hour,
        requests=7,
    )


def reading(source: ProviderConnection, hour: datetime) -> PollRun:
    end = hour + timedelta(hours=1)
    return PollRun(
        organization_id=source.organization_id, connection=source, family="completions",
        span_start=hour - timedelta(hours=5), span_end=end, started_at=end, finished_at=end,
    )  # fmt: skip


def address(granularity: str) -> str:
    said = {
        "from": FIRST.date(),
        "to": (FIRST + timedelta(days=DAYS)).date(),
        "granularity": granularity,
        "group_by": "model",
    }
    return f"/api/v1/emissions/summary?{urlencode(said)}"


@contextmanager
def server(application: str) -> Iterator[int]:
    """One process of it, on a port of its own, with the options of `up`."""
    port = free_port()
    command = [sys.executable, *(application if word == OURS else word for word in uvicorn(port))]
    log = settings.STATE_DIR / f"{application.split(':')[0]}.log"
    with child(application, command, cwd=settings.BASE_DIR, log=log) as running:
        running.wait_until(lambda: is_live(port))
        yield port


def insist_equal(*ports: int, path: str, token: str) -> None:
    """Both must answer the same, or there is nothing to compare."""
    headers = {"Authorization": f"Bearer {token}"}
    answers = [httpx.get(f"http://{HOST}:{port}{path}", headers=headers).json() for port in ports]
    if answers[0] != answers[1] or not answers[0].get("results"):
        raise SystemExit("\n".join(map(json.dumps, ["The answers to one question differ.", *answers])))


def load(port: int, path: str, token: str) -> float:
    """Answers a second to clients that wait for each."""
    command = [sys.executable, "-m", "tests.bench.load", *map(str, (port, path, token, CLIENTS, SECONDS))]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
