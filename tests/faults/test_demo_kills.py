"""The demonstration of `make run`, with its servers killed in the middle: it comes to the same end, to the microgram."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from signal import SIGTERM

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from tests.engine import temporary_state
from tests.faults.processes import Up, until
from tests.machine import free_port

READING = "SELECT count(*) > 3000 FROM telemetry_telemetryevent"
CLOSING = "SELECT count(*) > 0 FROM billing_billingperiod WHERE state <> 'open'"
FIGURES = """
SELECT month, mean_ug, central_ug, low_ug, high_ug, energy_uwh, retire_mg, events, state, count(receipt.id)
FROM billing_billingperiod AS period LEFT JOIN receipts_carbonreceipt AS receipt ON receipt.period_id = period.id
WHERE state <> 'open' GROUP BY period.id ORDER BY month
"""


@pytest.fixture
def up() -> Iterator[Up]:
    with temporary_state() as folder:
        up = Up(folder / "state", free_port(), "--demo")
        yield up
        up.process.send_signal(SIGTERM)
        up.process.wait()


def asked(up: Up, question: str) -> list[tuple]:
    """What its database says; nothing while it does not run."""
    with suppress(OSError, ValueError, psycopg.OperationalError, psycopg.errors.UndefinedTable):
        address = json.loads((up.state / "services.json").read_text())["owner"]
        with psycopg.connect(address, autocommit=True) as owner:
            return owner.execute(question).fetchall()
    return []


@pytest.mark.django_db(transaction=True)
class TestDemonstration:
    @pytest.mark.parametrize(
        "moments",
        [
            pytest.param([CLOSING], id="once"),
            pytest.param([READING, CLOSING], id="twice", marks=pytest.mark.proof),
        ],
    )
    def test_ends_with_the_same_figures_and_receipts_however_often_it_is_killed(
        self, up, settings, sandbox, tmp_path, moments
    ):
        for moment in moments:
            up.begin()
            until(lambda moment=moment: asked(up, moment) == [(True,)])
            for victim in ("worker", "PostgreSQL"):
                up.kill(victim)
            assert up.end()[0] == 1
        up.begin()
        until(lambda: "  Pack " in up.said or up.process.poll() is not None)

        settings.STATE_DIR, settings.OPENAI_BASE_URL = tmp_path, sandbox.openai
        call_command("demo", "--now", datetime.now(UTC).isoformat())
        with connection.cursor() as cursor:
            cursor.execute("SET carbon.every_organization = 'on'")
            cursor.execute(FIGURES)
            undisturbed = cursor.fetchall()
        assert [row[-2:] for row in undisturbed] == [("receipted", 1)] * 2
        assert asked(up, FIGURES) == undisturbed
