"""The database as production has it: tables made and emptied by their owner, tests run as `carbon_app`."""

import os
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Any

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from hypothesis import HealthCheck
from psycopg import sql
from redis import Redis
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from projects import tenancy
from projects.models import Organization
from tests import make
from tests.sandbox import sandbox  # noqa: F401  # a fixture

NAME = "test_carbon"
FIRST = {"end_to_end", "faults"}  # what takes long begins first, and does not keep one worker in the end

# How long a case takes says more about the machine.
hypothesis.settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("ours")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing may be skipped, what was skipped has failed."""
    report = yield
    if report.skipped and "NOTHING_SKIPPED" in os.environ:
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """A database on the tests' own server, migrated by the owner of the tables; the tests' connection is the app's."""
    with django_db_blocker.unblock():
        with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
            owner.execute(f"CREATE DATABASE {NAME}")
        for alias in ("default", "owner"):
            connections[alias].close()
            connections.settings[alias]["NAME"] = connections[alias].settings_dict["NAME"] = NAME
        call_command("migrate", verbosity=0)
        connections["owner"].close()
        connection.ops.execute_sql_flush = _flush_as_owner  # type: ignore[method-assign, assignment]
        yield
        connections["default"].close_pool()  # type: ignore[attr-defined]


def _flush_as_owner(statements: list[str]) -> None:
    """The app may not truncate; and what is append-only for it is not for a test."""
    with psycopg.connect(settings.DATABASE_OWNER_URL, dbname=NAME) as owner:
        for statement in statements:
            owner.execute(sql.SQL(statement))


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    """What one test has counted or queued is not there for the next."""
    yield
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()


@pytest.fixture
def one_minute(time_machine: TimeMachineFixture) -> None:
    """The clock stands still: in the next minute rates are counted anew."""
    time_machine.move_to(datetime.now(UTC), tick=False)


@pytest.fixture
def acme(db: None) -> Organization:
    """An organisation that this test's connection has been told of."""
    organization = make.organization("acme")
    tenancy.enter_organization(organization.pk)
    return organization


@pytest.fixture
def admin(acme: Organization) -> APIClient:
    return make.client(acme, role="admin", scope="write")


@pytest.fixture
def member(acme: Organization) -> APIClient:
    return make.client(acme, role="member", scope="write")


@pytest.fixture
def auditor(acme: Organization) -> APIClient:
    return make.client(acme, role="auditor")
