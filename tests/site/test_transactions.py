import pytest
from django.db import connection

from carbon_site.events import Event
from carbon_site.models import TaskFailure
from carbon_site.transactions import after_commit, savepoint, transaction, transaction_required
from projects.models import Organization
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


@transaction
def put(name: str, *, error: Exception | None = None) -> bool:
    """Write a row in a transaction of one's own; is one open?"""
    write(name)
    if error:
        raise error
    return connection.in_atomic_block


@transaction_required
def write(name: str) -> None:
    TaskFailure.objects.create(name=name, task_id="", arguments=[], error="", traceback="", attempt=1)


def names() -> list[str]:
    return list(TaskFailure.objects.order_by("pk").values_list("name", flat=True))


class TestTransaction:
    def test_has_committed_when_it_returns(self):
        was_open = put("a")

        assert was_open
        assert not connection.in_atomic_block
        assert names() == ["a"]

    def test_leaves_nothing_behind_when_it_fails(self):
        with pytest.raises(ValueError):
            put("a", error=ValueError())

        assert names() == []

    @transaction
    def test_refuses_to_be_nested(self):
        with pytest.raises(RuntimeError):
            put("a")


class TestTransactionRequired:
    def test_refuses_to_run_without_one(self):
        with pytest.raises(RuntimeError, match="write runs inside its caller's transaction"):
            write("a")

    @pytest.mark.django_db(transaction=False)
    def test_does_not_take_a_test_s_own_transaction_for_its_caller_s(self):
        with pytest.raises(RuntimeError):
            write("a")


class TestSavepoint:
    @transaction
    def test_undoes_its_part_and_not_the_rest(self):
        write("kept")

        with pytest.raises(ValueError), savepoint():
            write("undone")
            raise ValueError

        assert names() == ["kept"]

    def test_refuses_to_run_outside_a_transaction(self):
        with pytest.raises(RuntimeError):
            savepoint()


class TestAfterCommit:
    def test_waits_for_the_commit(self):
        calls: list[str] = []

        with transaction:
            after_commit(lambda: calls.append("called"))
            before = list(calls)

        assert (before, calls) == ([], ["called"])

    def test_never_calls_after_a_roll_back(self):
        calls: list[str] = []

        with pytest.raises(ValueError), transaction:
            after_commit(lambda: calls.append("called"))
            raise ValueError

        assert calls == []

    def test_calls_at_once_where_no_transaction_is_open(self):
        calls: list[str] = []

        after_commit(lambda: calls.append("called"))

        assert calls == ["called"]

    def test_leaves_the_caller_alone_when_a_call_fails(self, caplog):
        calls: list[str] = []

        with transaction:
            after_commit(lambda: 1 / 0)
            after_commit(lambda: calls.append("the next one"))

        assert calls == ["the next one"]
        assert "division by zero" in caplog.text


class TestEvent:
    def test_tells_the_ids_after_the_commit(self):
        happened, heard = Event(), []

        def listen(organization_id: str, pk: str, **_: object) -> None:
            heard.append((organization_id, pk))

        happened.connect(listen)
        with transaction:
            row = Organization.objects.create(slug="acme", name="Acme")
            happened.announce(row)
            before = list(heard)

        assert (before, heard) == ([], [(row.pk, row.pk)])

    def test_reaches_the_next_listener_when_one_fails(self):
        happened, heard = Event(), []

        def fail(**_: object) -> None:
            raise ValueError

        def listen(pk: str, **_: object) -> None:
            heard.append(pk)

        happened.connect(fail)
        happened.connect(listen)
        acme = make.organization("acme")

        happened.announce(acme)

        assert heard == [acme.pk]
