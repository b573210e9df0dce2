"""The surface: what a call promises to the one who makes it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.utils import timezone

from carbon_site.tasks import QUEUE
from carbon_site.transactions import transaction
from projects.models import Organization
from tests.site.sample_tasks import note
from tests.site.workers import environment, queue

ACME = "org_01k9wq3m5ef2tbr5s3yd4w1x8a"


@pytest.fixture(autouse=True)
def _as_in_life(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """No transaction is open but the test's own; most tests here write no row that would have to go afterwards."""
    with django_db_blocker.unblock():
        yield


def queued(name: str = QUEUE) -> dict[str, float]:
    """The ids in a queue, and in how many seconds each is due."""
    with queue() as redis:
        return {
            job: due / 1000 - timezone.now().timestamp()
            for job, due in redis.zrange(name, 0, -1, withscores=True)
        }


def on_the_wire(task_id: str) -> dict[str, Any]:
    with queue() as redis:
        return json.loads(redis.get(f"arq:job:{task_id}") or "")


def seconds_kept(task_id: str) -> float:
    with queue() as redis:
        return redis.pttl(f"arq:job:{task_id}") / 1000


class TestApplyAsync:
    def test_waits_for_the_commit(self):
        with transaction:
            task = note.delay(ACME)
            before = queued()

        assert before == {}
        assert queued().keys() == {task.id}

    def test_queues_nothing_after_a_roll_back(self):
        with pytest.raises(ValueError), transaction:
            note.delay(ACME)
            raise ValueError

        assert queued() == {}

    def test_writes_json(self):
        task = note.apply_async((ACME,), {"word": "größer"})

        assert on_the_wire(task.id)["a"] == [[ACME], {"word": "größer"}, None]

    @pytest.mark.parametrize("word", [object(), timezone.now(), {1, 2}, b"bytes"])
    def test_refuses_what_json_cannot_hold(self, word: Any):
        with transaction, pytest.raises(TypeError):
            note.delay(ACME, word)

    def test_refuses_numbers_that_are_none(self):
        with pytest.raises(ValueError):
            note.delay(ACME, float("nan"))

    def test_refuses_arguments_that_the_function_would_refuse(self):
        with pytest.raises(TypeError, match="missing a required argument: 'organization_id'"):
            note.delay()

    def test_sends_the_arguments_as_they_were_when_it_was_called(self):
        words = ["before"]

        with transaction:
            task = note.delay(ACME, words)
            words.append("after")

        assert on_the_wire(task.id)["a"][0] == [ACME, ["before"]]

    def test_carries_the_request_s_id(self):
        with structlog.contextvars.bound_contextvars(request_id="req-1"):
            task = note.delay(ACME)

        assert on_the_wire(task.id)["a"][2] == "req-1"

    def test_queues_an_id_once(self):
        for word in ("first", "second"):
            note.apply_async((ACME, word), task_id="note:1")

        assert queued().keys() == {"note:1"}
        assert on_the_wire("note:1")["a"][0] == [ACME, "first"]

    def test_uses_the_queue_that_is_named(self):
        task = note.apply_async((ACME,), queue="letters")

        assert queued("letters").keys() == {task.id}
        assert queued() == {}


class TestTimes:
    def test_are_now_where_none_is_given(self):
        note.apply_async((ACME,), task_id="note")

        assert queued()["note"] <= 0

    def test_may_be_a_number_of_seconds(self):
        note.apply_async((ACME,), task_id="note", countdown=90.5)

        assert 60 < queued()["note"] <= 90.5

    def test_may_be_an_instant(self):
        note.apply_async((ACME,), task_id="note", eta=timezone.now() + timedelta(seconds=90.5))

        assert 60 < queued()["note"] <= 90.5

    def test_in_the_past_are_now(self):
        note.apply_async((ACME,), task_id="note", eta=timezone.now() - timedelta(days=3))

        assert -60 < queued()["note"] <= 0

    def test_may_end_after_a_number_of_seconds(self):
        note.apply_async((ACME,), task_id="note", expires=90.5)

        assert 60 < seconds_kept("note") <= 90.5

    def test_may_end_at_an_instant(self):
        note.apply_async((ACME,), task_id="note", expires=timezone.now() + timedelta(seconds=90.5))

        assert 60 < seconds_kept("note") <= 90.5

    def test_end_a_day_after_it_was_due_where_no_end_is_given(self):
        note.apply_async((ACME,), task_id="note", countdown=90)

        assert 86_400 + 60 < seconds_kept("note") <= 86_400 + 90

    def test_that_have_expired_are_not_queued(self):
        note.apply_async((ACME,), expires=timezone.now() - timedelta(seconds=1))

        assert queued() == {}


@pytest.mark.django_db(transaction=True)
class TestWithoutRedis:
    def test_the_caller_s_rows_are_stored_and_the_log_says_what_was_not_sent(self, settings, caplog):
        settings.REDIS_URL = "unix:///nowhere/redis.sock"

        with transaction:
            Organization.objects.create(slug="acme", name="Acme")
            note.apply_async((ACME,), task_id="note:1")

        assert Organization.objects.filter(slug="acme").exists()
        assert "task.not_sent" in caplog.text
        assert "note:1" in caplog.text


class TestFork:
    SCRIPT = """
import os, sys, django
django.setup()
from tests.site.sample_tasks import note
note.apply_async(("org_1",), task_id="parent")
if os.fork() == 0:
    note.apply_async(("org_1",), task_id="child")
    sys.exit()
os.wait()
note.apply_async(("org_1",), task_id="parent again")
"""

    def test_leaves_parent_and_child_with_a_connection_each(self):
        subprocess.run([sys.executable, "-c", self.SCRIPT], check=True, env=environment())

        assert queued().keys() == {"parent", "child", "parent again"}
