"""A task that is called as a function, and an attempt that asks for another."""

import pytest
from arq import Retry

from carbon_site.tasks import MaxRetriesExceededError, Request, Task, registry, shared_task
from tests.site import sample_tasks
from tests.site.sample_tasks import Hiccup


class TestCallingDirectly:
    def test_answers_with_what_the_function_answers(self):
        task = Task(run=lambda one, two: one + two, name="sum")

        answer = task(1, two=2)

        assert answer == 3

    def test_gives_a_bound_task_itself(self):
        task = Task(run=lambda self: self, name="me", bind=True)

        answer = task()

        assert answer is task

    def test_raises_what_would_be_retried(self):
        with pytest.raises(Hiccup):
            sample_tasks.stumble_by_itself("org_1", 1)

    def test_within_another_task_is_no_attempt_of_that_one(self):
        inner = Task(run=lambda self: self.request, name="inner", bind=True)
        outer = Task(run=lambda self: (inner(), self.request), name="outer", bind=True)
        attempt = Request("id", 1, called_directly=False)

        with outer.attempt(attempt):
            seen, own = outer.run(outer)

        assert (seen, own) == (Request(called_directly=True), attempt)


def seconds_until_retry(task: Task, retries: int, error: Exception | None = None) -> float:
    """How long a worker's attempt that fails asks to wait."""
    with pytest.raises(Retry) as asked, task.attempt(Request("id", retries, called_directly=False)):
        raise error or Hiccup
    return (asked.value.defer_score or 0) / 1000


class TestRetry:
    def test_waits_three_minutes_where_nothing_else_is_said(self):
        task = Task(run=print, name="plain", autoretry_for=(Hiccup,))

        assert seconds_until_retry(task, retries=0) == 180

    def test_doubles_the_wait_up_to_ten_minutes(self):
        task = Task(
            run=print,
            name="backs off",
            autoretry_for=(Hiccup,),
            retry_backoff=30,
            retry_jitter=False,
            max_retries=9,
        )

        waits = [seconds_until_retry(task, retries) for retries in range(6)]

        assert waits == [30, 60, 120, 240, 480, 600]

    def test_spreads_the_waits_so_that_retries_do_not_come_together(self):
        task = Task(run=print, name="jitters", autoretry_for=(Hiccup,), retry_backoff=30)

        waits = {seconds_until_retry(task, retries=2) for _ in range(50)}

        assert len(waits) > 40
        assert all(0 <= wait <= 120 for wait in waits)

    def test_is_not_asked_for_by_other_errors(self):
        task = Task(run=print, name="plain", autoretry_for=(Hiccup,))

        with pytest.raises(ValueError), task.attempt(Request("id", 0, called_directly=False)):
            raise ValueError

    def test_is_not_asked_for_by_errors_that_are_excepted(self):
        task = Task(run=print, name="plain", autoretry_for=(Exception,), dont_autoretry_for=(Hiccup,))

        with pytest.raises(Hiccup), task.attempt(Request("id", 0, called_directly=False)):
            raise Hiccup

    def test_raises_the_error_when_none_is_left(self):
        task = Task(run=print, name="plain", max_retries=3)

        with pytest.raises(Hiccup), task.attempt(Request("id", 3, called_directly=False)):
            task.retry(exc=Hiccup())

    def test_says_that_none_is_left_where_no_error_was_named(self):
        task = Task(run=print, name="plain", max_retries=0)

        with pytest.raises(MaxRetriesExceededError), task.attempt(Request("id", 0, called_directly=False)):
            task.retry()

    def test_waits_as_long_as_it_is_told(self):
        task = Task(run=print, name="plain")

        with pytest.raises(Retry) as asked, task.attempt(Request("id", 0, called_directly=False)):
            task.retry(countdown=12.5)

        assert asked.value.defer_score == 12_500


class TestSharedTask:
    def test_takes_the_function_s_own_name_where_none_is_given(self):
        task = shared_task(lambda: None)

        assert registry.pop("tests.site.test_task_calls.<lambda>") is task

    def test_refuses_a_name_that_is_taken(self):
        with pytest.raises(ValueError, match=r"two tasks are named sample\.note"):
            shared_task(name="sample.note")(print)
