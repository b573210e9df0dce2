"""Two closes of one month, after each other and at the very same time: each period has one receipt, and the same figures."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.db.transaction import atomic

from billing.models import FIGURES, BillingPeriod
from carbon_site.jobs import JOBS, run
from carbon_site.periods import Period
from projects import tenancy
from projects.entitlements import lock_organization
from projects.models import Organization
from receipts.credits import load_batches
from receipts.log import open_log
from receipts.models import Allocation, CarbonReceipt, CreditBatch, LogHead, LogLeaf
from telemetry.ledger import open_ledger
from tests import make
from tests.receipts.test_credits import retired
from tests.site.workers import environment, eventually

OCTOBER = Period.month(2026, 10)
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
CLOSE = ["job", "close", "--now", NOW.isoformat()]
OF_ITS_OWN = {
    "root",
    "sealed_at",
}  # a root is over the names of projects, and a seal is later than the last page
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def organizations() -> list[Organization]:
    """Two with the same usage in October, and credits enough for both."""
    made = [make.organization(name) for name in ("peaceful", "contested")]
    for organization in made:
        source = make.connection(make.default_project(organization))
        hours = [datetime(2026, 10, 7, hour, tzinfo=UTC) for hour in range(6)]
        make.record(source, *(make.usage_row(starts_at=hour, output=10**6, requests=30) for hour in hours))
    load_batches([retired(1, 1)])
    return made


def start() -> "subprocess.Popen[str]":
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *CLOSE]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)


def end(running: "subprocess.Popen[str]") -> tuple[int, int]:
    """Its exit status, and how many of its steps failed."""
    said, _ = running.communicate(timeout=120)
    return running.returncode, json.loads(said)["failed"]


def are_waiting(number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return cursor.fetchone()[0] >= number


def receipted() -> BillingPeriod:
    """The period of October, with the one receipt it has, which is in the log, and the credits that it needs."""
    period = BillingPeriod.unscoped.get(month=OCTOBER.first_day)
    receipt = CarbonReceipt.unscoped.get(period=period)
    assert period.state == BillingPeriod.State.RECEIPTED
    assert receipt.sha256 == json.loads(bytes(LogLeaf.objects.get(index=receipt.leaf_index).body))["sha256"]
    assert sum(each.mg for each in Allocation.unscoped.filter(period=period)) == period.retire_mg
    return period


def insist_one_receipt_each(organizations: list[Organization]) -> None:
    figures, retired_mg = [], 0
    for organization in organizations:
        with tenancy.organization(organization.pk):
            period = receipted()
            figures.append({name: getattr(period, name) for name in set(FIGURES) - OF_ITS_OWN})
            retired_mg += figures[-1]["retire_mg"]
    assert figures == figures[:1] * len(organizations)
    assert figures[0]["mean_ug"] > 0
    assert CreditBatch.objects.aggregate(mg=Sum("allocated_mg"))["mg"] == retired_mg
    assert LogHead.objects.get().size == LogLeaf.objects.count() == 1 + len(organizations)


class TestTwoCloses:
    def test_after_each_other_are_one(self, organizations):
        ends = [end(start()), end(start())]

        assert ends == [(0, 0)] * 2
        insist_one_receipt_each(organizations)

    @pytest.mark.parametrize(
        "hold",
        [
            pytest.param(lambda organization: lock_organization(organization.pk), id="making-periods"),
            pytest.param(lambda organization: open_ledger(organization.pk), id="freezing"),
            pytest.param(lambda _: open_log(), id="signing"),
        ],
    )
    def test_at_the_very_same_time_are_one(self, organizations, hold: Callable[[Organization], object]):
        """The first organisation is closed in peace, the second by two who meet where both must wait."""
        peaceful, contested = organizations
        assert all(run(JOBS["close"], NOW, only=peaceful.pk))

        with ExitStack() as held:
            held.enter_context(tenancy.organization(contested.pk))
            held.enter_context(atomic())
            hold(contested)
            running = [start(), start()]
            eventually(lambda: are_waiting(len(running)))

        assert [end(one) for one in running] == [(0, 0)] * 2
        insist_one_receipt_each(organizations)
