"""From a signed receipt to its page in the customer's hands: as often as it takes, with one signature."""

import hashlib
import json

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import IntegrityError
from django.db.transaction import atomic

from billing.models import BillingPeriod
from projects import tenancy
from receipts import pdf
from receipts.credits import load_batches
from receipts.hand_out import hand_out, keep, rendered, stored
from receipts.models import CarbonReceipt, LogHead, pdf_path
from receipts.tasks import settle_period, unfinished_periods
from tests.receipts.test_credits import retired
from tests.receipts.test_settle import SETTLED, frozen, settled

State = BillingPeriod.State


def handed_out(period: BillingPeriod) -> CarbonReceipt:
    with tenancy.organization(period.organization_id):
        hand_out(organization_id=period.organization_id, period_id=period.pk)
    return CarbonReceipt.unscoped.get(period=period)


@pytest.fixture
def period(acme) -> BillingPeriod:
    """A period with credits and a signed receipt."""
    load_batches([retired(1, 1)])
    return settled(frozen(acme))


@pytest.mark.django_db
class TestHandOut:
    def test_stores_the_page_and_ends_the_period(self, period):
        receipt = handed_out(period)

        period.refresh_from_db()
        assert period.state == State.RECEIPTED
        assert hashlib.sha256(stored(receipt)).hexdigest() == receipt.pdf_sha256
        assert pdf.attached(stored(receipt))[pdf.RECEIPT].decode() == receipt.document

    def test_twice_changes_nothing(self, period):
        first, second = handed_out(period), handed_out(period)

        assert first.pdf_sha256 == second.pdf_sha256

    def test_renders_again_and_never_signs_again_after_a_crash(self, period):
        before = CarbonReceipt.unscoped.get()
        keep(rendered(before))  # and the machine stops here

        after = handed_out(period)

        assert (after.document, after.jws, LogHead.objects.get().size) == (before.document, before.jws, 2)
        assert stored(after) == rendered(after)

    def test_puts_right_a_file_that_was_written_half(self, period):
        page = rendered(CarbonReceipt.unscoped.get())
        default_storage.save(pdf_path(hashlib.sha256(page).hexdigest()), ContentFile(page[:100]))

        assert stored(handed_out(period)) == page

    def test_leaves_a_period_without_credits_where_it_is(self, acme):
        period = settled(frozen(acme))

        with tenancy.organization(acme.pk):
            hand_out(organization_id=acme.pk, period_id=period.pk)

        period.refresh_from_db()
        assert period.state == State.WAITING_SUPPLY

    def test_waits_where_a_letter_is_missing(self, acme):
        acme.name = "株式会社"
        acme.save()
        load_batches([retired(1, 1)])
        period = settled(frozen(acme))

        with pytest.raises(pdf.GlyphMissing):
            handed_out(period)

        assert (acme.pk, period.pk) in unfinished_periods(SETTLED)

    @pytest.mark.parametrize("again", [None, "cd" * 32])
    def test_names_the_page_once(self, period, again):
        handed_out(period)

        with pytest.raises(IntegrityError, match="is final"), atomic():
            CarbonReceipt.unscoped.update(pdf_sha256=again)


@pytest.mark.django_db
class TestTask:
    def test_goes_from_a_frozen_period_to_a_receipt_in_one_go(self, acme):
        load_batches([retired(1, 1)])
        period = frozen(acme)

        settle_period(acme.pk, period.pk, now=SETTLED)

        period.refresh_from_db()
        assert (period.state, unfinished_periods(SETTLED)) == (State.RECEIPTED, [])

    def test_is_how_a_close_ends(self, acme, capsys):
        load_batches([retired(1, 1)])
        period = frozen(acme)

        call_command("job", "close", now=SETTLED.isoformat())

        period.refresh_from_db()
        assert (period.state, json.loads(capsys.readouterr().out)["failed"]) == (State.RECEIPTED, 0)

    def test_finishes_what_was_signed_and_has_no_page(self, period):
        assert unfinished_periods(SETTLED) == [(period.organization_id, period.pk)]

        settle_period(period.organization_id, period.pk, now=SETTLED)

        assert CarbonReceipt.unscoped.get().pdf_sha256
