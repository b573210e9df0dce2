"""The demonstration, as of days on which months end and do not: closed months, one receipt each, and the same when repeated."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import BillingPeriod
from carbon_site import demo
from projects import tenancy
from receipts.models import CarbonReceipt, CreditBatch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def machine(settings, sandbox, tmp_path):
    """A developer's machine on which nothing was made yet."""
    settings.STATE_DIR, settings.OPENAI_BASE_URL = tmp_path, sandbox.openai


def run(now: str) -> str:
    printed = StringIO()
    call_command("demo", "--now", now, stdout=printed)
    return printed.getvalue()


def figures() -> dict[str, tuple[int | None, str]]:
    """Of each receipted month its micrograms, and the receipt's hash."""
    with tenancy.every_organization("a test"):
        return {
            f"{receipt.period.month:%Y-%m}": (receipt.period.mean_ug, receipt.sha256)
            for receipt in CarbonReceipt.unscoped.select_related("period").order_by("period__month")
        }


def frozen() -> list[str]:
    """The months that are closed."""
    with tenancy.every_organization("a test"):
        closed = BillingPeriod.unscoped.exclude(state="open").order_by("month")
        return [f"{month:%Y-%m}" for month in closed.values_list("month", flat=True)]


class TestDemonstration:
    @pytest.mark.parametrize(
        ("now", "months", "vintages"),
        [
            ("2026-11-01", ["2026-08", "2026-09"], {2026}),
            ("2026-11-03", ["2026-09", "2026-10"], {2026}),
            ("2024-02-29T13:00:00Z", ["2023-12", "2024-01"], {2023, 2024}),
        ],
    )
    def test_has_a_receipt_for_each_month_that_can_be_closed(self, now, months, vintages):
        said, made = run(now), figures()
        again = run(now)

        assert (list(made), frozen()) == (months, months)
        assert all(ug and ug > 10**9 for ug, _ in made.values())
        assert (figures(), again) == (made, said)
        assert all(demo.kept()[name] in said for name in ("api_key", "receipt", "pack"))
        assert set(CreditBatch.objects.values_list("vintage", "is_demonstration")) == {
            (vintage, True) for vintage in vintages
        }

    def test_is_not_for_a_time_that_has_not_come(self):
        with pytest.raises(CommandError, match="no usage from after"):
            run("2999-01-01")
