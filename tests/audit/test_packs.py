"""A pack of a closed month: ordered once, the same bytes on any day, and checked by a Python that knows nothing of us."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection
from django.db.transaction import atomic

from audit.contents import LedgerDiffers, write
from audit.models import AuditPack, stored_path
from audit.packs import PeriodNotClosed, build, order
from audit.tasks import PACKS, build_pack, closed_periods
from billing import close
from billing.models import BillingPeriod
from connections.models import ProviderConnection
from projects import tenancy
from receipts.models import CarbonReceipt
from receipts.settle import settle
from tests import make
from tests.audit.examples import (
    IN_OCTOBER,
    OCTOBER,
    SCRIPT,
    SETTLED,
    closed,
    files_of,
    packed,
    said_of,
    usage,
)


@pytest.fixture
def october(acme) -> BillingPeriod:
    return closed(acme, usage())


def bytes_of(pack: AuditPack) -> bytes:
    with default_storage.open(pack.path) as file:
        return file.read()


def written(period: BillingPeriod) -> bytes:
    """The pack of a period, written anew."""
    file = BytesIO()
    with tenancy.organization(period.organization_id), atomic():
        write(period, file)
    return file.getvalue()


def said_by_a_clean_python(folder) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", SCRIPT.name]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def unpack(pack: AuditPack, folder) -> None:
    for name, content in files_of(bytes_of(pack)).items():
        (folder / name).write_bytes(content)


@pytest.mark.django_db
class TestPack:
    def test_is_recalculated_by_a_clean_python(self, october, tmp_path):
        unpack(packed(october), tmp_path)

        ran = said_by_a_clean_python(tmp_path)

        assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
        assert ran.stdout.endswith(" checks passed, 0 failed\n")

    def test_is_recalculated_as_the_zip_that_it_came_as(self, october, tmp_path):
        (tmp_path / "pack.zip").write_bytes(bytes_of(packed(october)))

        status, words = said_of(tmp_path / "pack.zip")

        assert status == 0, words

    def test_holds_the_receipt_as_it_was_signed_and_the_frozen_list(self, october):
        files = files_of(bytes_of(packed(october)))

        assert files["receipt.json"].decode() == CarbonReceipt.unscoped.get().document
        assert files["factor_set.json"].decode() == october.factors.document
        assert files["ledger.jsonl"].count(b"\n") == october.events

    def test_is_the_same_bytes_when_the_log_has_grown(self, october):
        first = bytes_of(packed(october))
        closed(make.organization("rival"), usage())

        assert written(october) == first

    def test_holds_the_month_as_it_was_frozen_whatever_came_later(self, october, acme, tmp_path):
        source = ProviderConnection.unscoped.get()
        make.record(
            source,
            make.usage_row(starts_at=IN_OCTOBER, model="gpt-4o", output=1, requests=1),
            make.usage_row(starts_at=IN_OCTOBER, model="o3", output=10**6, requests=1),
        )
        close.close(organization_id=acme.pk, now=SETTLED)

        unpack(packed(october), tmp_path)

        assert said_of(tmp_path)[0] == 0

    def test_of_a_month_with_nothing_to_retire_has_no_receipt(self, acme, tmp_path):
        rows = [make.usage_row(starts_at=IN_OCTOBER, family="images", unit="images", requests=1)]

        unpack(packed(closed(acme, rows)), tmp_path)

        status, words = said_of(tmp_path)
        assert (status, (tmp_path / "receipt.json").exists()) == (0, False), words
        assert "nobody has signed" in words

    def test_of_an_empty_month_is_checked_too(self, acme, tmp_path):
        source = make.connection(make.default_project(acme))
        make.record(source, make.usage_row(starts_at=datetime(2026, 9, 1, tzinfo=UTC), output=1))

        unpack(packed(closed(acme)), tmp_path)

        assert (tmp_path / "ledger.jsonl").read_bytes() == b""
        assert said_of(tmp_path)[0] == 0

    def test_takes_in_adjustments_of_earlier_months(self, october, acme, tmp_path):
        source = ProviderConnection.unscoped.get()
        make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=10**6, requests=1))
        make.record(source, make.usage_row(starts_at=OCTOBER.end, model="o3", output=10**6, requests=1))
        later = datetime(2026, 12, 3, tzinfo=UTC)
        close.close(organization_id=acme.pk, now=later)
        november = BillingPeriod.unscoped.get(month=OCTOBER.end.date())

        unpack(packed(settle(organization_id=acme.pk, period_id=november.pk, now=later)), tmp_path)

        status, words = said_of(tmp_path)
        assert (status, november.adjustments.count()) == (0, 1), words

    def test_is_not_made_of_another_ledger_than_was_frozen(self, october):
        october.root = b"x" * 32

        with pytest.raises(LedgerDiffers):
            written(october)


@pytest.mark.django_db
class TestOrder:
    def test_twice_is_one_pack(self, october):
        first, again = (order(organization_id=october.organization_id, period_id=october.pk) for _ in "ab")

        assert (first[0].pk, first[1], again[1]) == (again[0].pk, True, False)

    @pytest.mark.parametrize("state", ["open", "frozen"])
    def test_is_refused_before_the_close(self, acme, state):
        period = make.period(acme)
        if state == "frozen":
            source = make.connection(make.default_project(acme))
            make.record(source, make.usage_row(starts_at=IN_OCTOBER, model="o3", output=1, requests=1))
            close.close(organization_id=acme.pk, now=SETTLED)
            period = BillingPeriod.unscoped.get(month=OCTOBER.first_day)

        with pytest.raises(PeriodNotClosed, match=state):
            order(organization_id=acme.pk, period_id=period.pk)


@pytest.mark.django_db
class TestBuild:
    def test_twice_builds_once(self, october):
        first = packed(october)

        again = build(
            organization_id=first.organization_id, pack_id=first.pk, now=SETTLED + timedelta(days=1)
        )

        assert again.built_at == first.built_at == SETTLED

    def test_replaces_what_a_killed_builder_left(self, october):
        whole = written(october)
        path = stored_path(october.organization_id, hashlib.sha256(whole).hexdigest())
        default_storage.save(path, ContentFile(whole[:100]))

        assert bytes_of(packed(october)) == whole

    @pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size": 1}])
    def test_is_for_ever(self, october, change):
        packed(october)

        with pytest.raises(IntegrityError, match="is final"):
            AuditPack.unscoped.update(**change)

    def test_of_another_organization_s_period_is_refused_by_the_database(self, october):
        rival = make.organization("rival")
        with tenancy.organization(rival.pk):
            AuditPack.unscoped.create(organization_id=rival.pk, period=october)

        with pytest.raises(IntegrityError, match="auditpack_of_the_same_organization"):
            connection.check_constraints()


@pytest.mark.django_db
class TestSweep:
    def test_finds_closed_months_without_a_pack(self, october):
        assert closed_periods(SETTLED) == [(october.organization_id, october.pk)]

    def test_takes_what_was_ordered_and_never_built(self, october):
        order(organization_id=october.organization_id, period_id=october.pk)

        for row in PACKS.rows(SETTLED):
            build_pack(*row, now=SETTLED)

        assert (AuditPack.unscoped.get().is_ready, PACKS.rows(SETTLED)) == (True, [])
