"""A month's close without pages; beside it the same hashes, signatures and rows, written by hand.

Ours is what `job close` does to each organisation up to its signed receipt: freeze and settle, as a receipt is a freeze's.
It makes periods, looks for adjustments, sums, and reads the frozen list too; the limit is told what there is to write.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from time import perf_counter

from billing.close import make_periods
from billing.tasks import CLOSES
from carbon_site import jobs
from carbon_site.periods import Period
from carbon_site.sweeps import Row, Sweep
from carbon_site.tasks import Task
from projects import tenancy
from receipts import log, verify
from receipts.credits import load_batches
from receipts.models import CarbonReceipt
from receipts.settle import settle
from receipts.signers import receipt_signer
from receipts.tasks import unfinished_periods
from tests import make
from tests.bench import bare_close
from tests.bench.pages import MODELS
from tests.bench.pairs import PAIRS, Comparison, compare, in_turn
from tests.receipts.test_credits import retired

OCTOBER = Period.month(2026, 10)
NOW = OCTOBER.end + timedelta(hours=60)
AT_A_TIME = 10  # organisations: each costs the same, so a close of 200 takes as long as the rates say
HOURS = 4  # of usage


def measure() -> Iterator[Comparison]:
    load_batches([retired(tonnes=1000)])
    close(
        rehearsal := customers("rehearsal", 1)
    )  # what is read once is read, and the limit writes what this left
    told = bare_close.left_behind(rehearsal[0], OCTOBER)
    with bare_close.connected() as connection:
        pairs = []
        for number in range(PAIRS):
            ours, heirs = (customers(f"{side}-{number}", AT_A_TIME) for side in ("ours", "heirs"))
            limit = partial(bare_close.close, connection, told, heirs, NOW)
            pairs.append(in_turn(number, partial(close, ours), limit))
            insist_valid(ours[-1], heirs[-1])
    yield compare("freeze, settle and sign / the same rows by hand", pairs, target=0.5, unit="receipts/s")


def customers(name: str, number: int) -> list[str]:
    """Organisations that have used the same in October, which is open; their ids."""
    return [customer(f"{name}-{each}") for each in range(number)]


def customer(slug: str) -> str:
    organization = make.free_organization(slug)
    source = make.connection(make.default_project(organization), account=f"org-{slug}")
    hours = [OCTOBER.start + timedelta(hours=hour) for hour in range(HOURS)]
    make.record(
        source,
        *(
            make.usage_row(starts_at=hour, model=model, input_uncached=10**6, output=10**5, requests=90)
            for hour, model in product(hours, MODELS)
        ),
    )
    with tenancy.organization(organization.pk):
        make_periods(organization_id=organization.pk, now=NOW)  # as every hour of the month does
    return organization.pk


def close(organizations: list[str]) -> float:
    """Receipts a second."""

    def unfinished(now: datetime) -> list[Row]:
        return [row for row in unfinished_periods(now) if row[0] in organizations]

    def sign(organization_id: str, period_id: str, *, now: datetime) -> None:
        settle(organization_id=organization_id, period_id=period_id, now=now)

    closes = Sweep("close", lambda now: [(each, each) for each in organizations], CLOSES.step)
    began = perf_counter()
    taken = jobs.run([closes, Sweep("settle", unfinished, Task(run=sign, name="sign"))], NOW)
    passed = perf_counter() - began
    if taken != [True] * 2 * len(organizations):
        raise SystemExit("Not every organisation could be closed.")
    return len(organizations) / passed


def insist_valid(*organizations: str) -> None:
    """Both must sign what a stranger would accept, or there is nothing to compare."""
    for organization in organizations:
        with tenancy.organization(organization):
            receipt = CarbonReceipt.unscoped.get()
        verdict = verify.verify(
            receipt.document.encode(),
            [receipt_signer().public],
            log=log.log_key(),
            proof=log.inclusion(receipt.leaf_index),
        )
        if verdict.reason != "valid":
            raise SystemExit(f"A receipt of the benchmark is not valid: {verdict.reason}")
