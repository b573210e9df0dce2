"""A page of usage, already parsed, becomes the ledger and all its figures; beside it the bare writing of the same rows."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from time import perf_counter

from django.db.transaction import atomic

from connections.models import ProviderConnection
from connections.providers import Page
from projects import tenancy
from telemetry import ingest
from tests import make
from tests.bench import bare
from tests.bench.pairs import PAIRS, Comparison, compare, in_turn

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
HOURS = 168  # of a page, as the largest provider has it
MODELS = ["gpt-4o", "gpt-5", "gpt-5-mini", "gpt-5-nano", "o3", "a-model-of-nobody"]
KEYS = ["key_search", "key_batch", "key_support", "key_evaluation"]


def measure() -> Iterator[Comparison]:
    ours, rehearsal, heir = (source(slug) for slug in ("ours", "rehearsal", "heir"))
    first, again = [], []
    for number in range(PAIRS):
        page = page_of(number)
        record(rehearsal, page)  # leaves the rows that the limit writes
        rows = bare.left_behind(rehearsal.organization_id, heir.organization_id, *span_of(number))
        write = partial(bare.write, heir.organization_id, rows)
        first.append(in_turn(number, partial(record, ours, page), write))
        again.append((record(ours, page), first[-1][0]))
    yield compare("page to ledger and figures / bare COPY and upsert", first, target=0.5, unit="rows/s")
    yield compare("replay of a page / its first time", again, target=2, unit="rows/s")


def source(slug: str) -> ProviderConnection:
    """A connection whose usage is routed to two workloads."""
    project = make.project(make.organization(slug))
    make.workload(project, rules=[{"api_key": "key_batch"}])
    return make.connection(project)


def span_of(number: int) -> tuple[datetime, datetime]:
    return FIRST + number * timedelta(hours=HOURS), FIRST + (number + 1) * timedelta(hours=HOURS)


def page_of(number: int) -> Page:
    """Hourly buckets of a week, by model and key; the same each time."""
    chance, (start, _) = random.Random(number), span_of(number)
    rows = [
        make.usage_row(
            starts_at=start + hour * timedelta(hours=1),
            model=model,
            api_key=key,
            input_uncached=chance.randrange(10**6),
            cache_read=chance.randrange(10**6),
            output=chance.randrange(10**5),
            requests=chance.randrange(1, 1000),
        )
        for hour, model, key in product(range(HOURS), MODELS, KEYS)
    ]
    return Page(repr(rows).encode(), rows, None)


def record(source: ProviderConnection, page: Page) -> float:
    """As a poll does when it has read the page; rows a second."""
    with tenancy.organization(source.organization_id):
        began = perf_counter()
        with atomic():
            ingest.record(source, "completions", page)
        return len(page.rows) / (perf_counter() - began)
