"""From a frozen month to a signed receipt: all at once, once, and checkable by a stranger."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError

from billing import close
from billing.models import BillingPeriod
from carbon_site.periods import Period
from projects import organizations, services, tenancy
from projects.entitlements import FREE, Grant
from receipts import log, verify
from receipts.credits import load_batches
from receipts.models import Allocation, CarbonReceipt, CreditBatch, LogHead, LogLeaf
from receipts.settle import settle
from receipts.signers import receipt_signer
from receipts.tasks import unfinished_periods
from tests import make
from tests.receipts.test_credits import retired

OCTOBER = Period.month(2026, 10)
SETTLED = OCTOBER.end + timedelta(hours=48)
IN_OCTOBER = datetime(2026, 10, 7, 9, tzinfo=UTC)
State = BillingPeriod.State


def frozen(organization) -> BillingPeriod:
    """A frozen October with usage of three kinds in it."""
    source = make.connection(make.default_project(organization), account="org-of-october")
    rows = [
        make.usage_row(
            starts_at=IN_OCTOBER,
            model="gpt-4o",
            input_uncached=10**6,
            cache_read=5,
            output=10**6,
            requests=30,
        ),
        make.usage_row(starts_at=IN_OCTOBER, model="a-model-of-nobody", output=1000),
        make.usage_row(
            starts_at=IN_OCTOBER,
            family="embeddings",
            model="text-embedding-3-small",
            input_uncached=9,
            requests=1,
        ),
    ]
    make.record(source, *rows)
    with tenancy.organization(organization.pk):
        close.close(organization_id=organization.pk, now=SETTLED)
        return BillingPeriod.unscoped.get(month=OCTOBER.first_day)


def settled(period: BillingPeriod) -> BillingPeriod:
    with tenancy.organization(period.organization_id):
        return settle(organization_id=period.organization_id, period_id=period.pk, now=SETTLED)


def check(receipt: CarbonReceipt) -> verify.Verdict:
    """As a stranger would: with our public keys, the log's, and the proof."""
    return verify.verify(
        receipt.document.encode(),
        [receipt_signer().public],
        log=log.log_key(),
        proof=log.inclusion(receipt.leaf_index),
    )


@pytest.fixture
def october(acme) -> BillingPeriod:
    return frozen(acme)


@pytest.mark.django_db
class TestSettle:
    def test_retires_and_signs(self, october):
        load_batches([retired(1, 1)])

        period = settled(october)

        (allocation,), receipt = Allocation.unscoped.all(), CarbonReceipt.unscoped.get()
        assert (period.state, allocation.mg) == (State.ALLOCATED, october.retire_mg)
        assert check(receipt).reason == "valid"

    def test_twice_signs_once(self, october):
        load_batches([retired(1, 1)])

        for _ in range(3):
            settled(october)

        assert (CarbonReceipt.unscoped.count(), Allocation.unscoped.count()) == (1, 1)

    def test_waits_for_supply_and_finishes_when_a_batch_is_loaded(self, october):
        waiting = settled(october)
        load_batches([retired(1, 1)])
        due = unfinished_periods(SETTLED)

        done = settled(october)

        assert (waiting.state, done.state) == (State.WAITING_SUPPLY, State.ALLOCATED)
        assert (october.organization_id, october.pk) in due

    def test_settles_what_has_nothing_to_retire(self, acme):
        make.record(
            make.connection(make.project(acme)),
            make.usage_row(starts_at=IN_OCTOBER, family="images", unit="images"),
        )
        close.close(organization_id=acme.pk, now=SETTLED)
        period = BillingPeriod.unscoped.get(month=OCTOBER.first_day)

        assert settled(period).state == State.SETTLED
        assert not CarbonReceipt.unscoped.exists()

    def test_gives_demonstrations_their_own_credits_and_says_so(self, db):
        organization = organizations.create_organization(slug="demo", name="Demo")
        with tenancy.organization(organization.pk):
            services.set_entitlements(
                organization.pk, plan="demonstration", grants=[Grant(name, None) for name in FREE]
            )
        load_batches([retired(1, 1)], is_demonstration=True)
        load_batches([retired(1, 1, block="real")])

        settled(frozen(organization))

        with tenancy.organization(organization.pk):
            said = json.loads(CarbonReceipt.unscoped.get().document)
            (slice_of,) = said["credentialSubject"]["credits"]["retirements"]
        assert "Demonstration" in slice_of["reason"]
        assert CreditBatch.objects.get(block="real").allocated_mg == 0

    def test_that_fails_in_the_middle_leaves_nothing(self, october, monkeypatch):
        load_batches([retired(1, 1)])
        leaves = LogLeaf.objects.count()
        monkeypatch.setattr(settings, "PUBLIC_BASE_URL", "no address")

        with pytest.raises(ValueError):
            settled(october)

        assert (Allocation.unscoped.count(), CarbonReceipt.unscoped.count(), LogLeaf.objects.count()) == (
            0,
            0,
            leaves,
        )
        assert CreditBatch.objects.get().allocated_mg == 0
        assert BillingPeriod.unscoped.get(pk=october.pk).state == State.FROZEN


@pytest.mark.django_db
class TestReceipt:
    @pytest.fixture
    def receipt(self, october) -> CarbonReceipt:
        load_batches([retired(1, 1)])
        settled(october)
        return CarbonReceipt.unscoped.get()

    @pytest.fixture
    def said(self, receipt):
        return json.loads(receipt.document)["credentialSubject"]

    def test_states_the_frozen_figures(self, said, october):
        emissions = said["emissions"]

        names = ("low", "central", "high", "mean")
        assert [emissions[f"{name}Ug"] for name in names] == [
            str(getattr(october, f"{name}_ug")) for name in names
        ]
        assert said["energy"]["facilityUwh"] == str(october.energy_uwh)
        assert int(said["energy"]["itUwh"]) < october.energy_uwh
        assert said["ledger"] == {"merkleRoot": bytes(october.root).hex(), "rows": "3"}

    def test_states_the_use_and_what_was_not_estimated_as_itself(self, said):
        activity = said["activity"]

        assert {use["model"] for use in activity["models"]} == {
            "gpt-4o",
            "a-model-of-nobody",
            "text-embedding-3-small",
        }
        assert activity["total"]["output"] == str(10**6 + 1000)
        assert [each["label"] for each in activity["coverage"]["unmappedModels"]] == ["a-model-of-nobody"]
        assert [each["label"] for each in activity["coverage"]["notEstimated"]] == ["text-embedding-3-small"]

    def test_states_what_was_retired_apart_from_it(self, said, october):
        stated = said["credits"]

        assert stated["retiredMg"] == stated["requiredMg"] == str(october.retire_mg)
        assert stated["retirements"][0]["batchSha256"] == CreditBatch.objects.get().leaf_sha256
        assert "does not reduce" in stated["statement"]

    def test_holds_no_id_of_ours_and_no_name(self, receipt, acme):
        assert not any(
            f"{prefix}_" in receipt.document for prefix in ("org", "per", "rcp", "prj", "wkl", "con")
        )
        assert acme.name not in receipt.document

    def test_names_the_customer_who_wants_to_be_named(self, acme):
        acme.public_name = "ACME Ltd"
        acme.save()
        load_batches([retired(1, 1)])
        settled(frozen(acme))

        said = json.loads(CarbonReceipt.unscoped.get().document)["credentialSubject"]

        assert said["customer"]["publicName"] == "ACME Ltd"

    def test_that_was_altered_is_not_valid(self, receipt, october):
        receipt.document = receipt.document.replace(str(october.mean_ug), str(october.mean_ug + 1))

        assert check(receipt).reason == "bad_signature"

    @pytest.mark.parametrize(
        "change", [{"document": "{}"}, {"number": "CR-2026-10-000099"}, {"sha256": "0" * 64}]
    )
    def test_stands_but_for_its_token(self, receipt, change):
        CarbonReceipt.unscoped.update(token="x" * 26)

        with pytest.raises(IntegrityError, match="is final"):
            CarbonReceipt.unscoped.update(**change)


@pytest.mark.django_db
class TestLog:
    def test_holds_batch_and_receipt_in_order_under_a_signed_checkpoint(self, october):
        load_batches([retired(1, 1)])
        settled(october)

        kinds = [json.loads(bytes(leaf.body))["type"] for leaf in LogLeaf.objects.order_by("index")]

        assert kinds == ["batch", "receipt"]
        assert log.note.Checkpoint.read(LogHead.objects.get().checkpoint, log.log_key()).size == 2

    @pytest.mark.parametrize("act", [lambda rows: rows.delete(), lambda rows: rows.update(body=b"{}")])
    def test_is_only_appended_to(self, act):
        load_batches([retired(1, 1)])

        with pytest.raises(IntegrityError, match="only appended to"):
            act(LogLeaf.objects.all())
