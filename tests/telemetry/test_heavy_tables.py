"""The tables that grow without end can be split by month and by organisation later, without a rewrite."""

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import ProgrammingError, connection

from telemetry.models import Heavy, TelemetryEvent
from tests.conftest import NAME

HEAVY = sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, Heavy))


@pytest.fixture
def owner(db):
    with psycopg.connect(settings.DATABASE_OWNER_URL, dbname=NAME) as owner:
        yield owner
        owner.rollback()


@pytest.mark.parametrize("table", HEAVY)
class TestHeavyTable:
    def test_can_be_partitioned_by_month(self, owner, table):
        owner.execute(f"CREATE TABLE whole (LIKE {table} INCLUDING ALL) PARTITION BY RANGE (starts_at)")

    def test_has_no_foreign_key_in_or_out(self, owner, table):
        keys = (
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND %s::regclass IN (conrelid, confrelid)"
        )

        assert owner.execute(keys, [table]).fetchall() == []

    def test_has_no_trigger(self, owner, table):
        assert (
            owner.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass", [table]).fetchall()
            == []
        )

    def test_has_unique_indexes_that_begin_with_the_organization_and_hold_the_time(self, owner, table):
        indexes = owner.execute(
            """SELECT array_agg(attname::text ORDER BY place) FROM pg_index
               CROSS JOIN unnest(indkey) WITH ORDINALITY AS key (number, place)
               JOIN pg_attribute ON attrelid = indrelid AND attnum = number
               WHERE indrelid = %s::regclass AND indisunique GROUP BY indexrelid""",
            [table],
        ).fetchall()

        assert indexes
        assert all(columns[0] == "organization_id" and "starts_at" in columns for (columns,) in indexes)

    def test_shows_nothing_to_the_app_that_was_told_of_no_organization(self, db, table):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")

            assert cursor.fetchone() == (0,)

    def test_cannot_be_deleted_from_by_the_app(self, db, table):
        with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute(f"DELETE FROM {table}")


@pytest.mark.django_db
class TestLedger:
    def test_is_edited_in_one_column_alone(self):
        with pytest.raises(ProgrammingError, match="permission denied"):
            TelemetryEvent.unscoped.update(output=1)
