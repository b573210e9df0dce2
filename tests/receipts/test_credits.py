"""Credits are loaded once and given out once, to the milligram, whatever happens on the way."""

import csv
import random
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.transaction import atomic

from projects import tenancy
from receipts.credits import Retired, SerialsKnown, allocate, load_batches
from receipts.models import MILLIGRAMS_A_TONNE, Allocation, CreditBatch
from tests import make


def retired(serial_from: int = 1, tonnes: int = 2, **columns) -> Retired:
    usual: dict[str, Any] = {
        "registry": "Example Registry",
        "project": "EX-1",
        "project_name": "A project",
        "country": "DE",
        "kind": "removal",
        "vintage": 2025,
        "block": "EX-1-2025",
        "serial_from": serial_from,
        "serial_to": serial_from + tonnes - 1,
        "retired_on": date(2026, 11, 1),
        "beneficiary": "Carbon of inference",
        "evidence_url": "https://registry.example/1",
        "evidence_sha256": "ab" * 32,
    }
    return Retired(**usual | columns)


@pytest.fixture
def file(tmp_path):
    """Writes batches as a file that staff would load."""

    def write(*batches: Retired):
        path = tmp_path / "batches.csv"
        with path.open("w", newline="") as out:
            rows = csv.DictWriter(out, vars(batches[0]))
            rows.writeheader()
            rows.writerows(vars(batch) for batch in batches)
        return path

    return write


def give(organization, mg: int) -> list[Allocation]:
    period = make.period(organization)
    with tenancy.organization(organization.pk), atomic():
        return allocate(period, mg, is_demonstration=False)


@pytest.mark.django_db
class TestLoading:
    def test_keeps_what_the_registry_says(self):
        (batch,) = load_batches([retired(serial_from=5, tonnes=3)])

        batch.refresh_from_db()
        assert (batch.serials, batch.retired_mg, batch.allocated_mg) == (
            NumericRange(5, 8),
            3 * MILLIGRAMS_A_TONNE,
            0,
        )

    @pytest.mark.parametrize("again", [(1, 2), (2, 5), (0, 2)])
    def test_refuses_a_serial_for_ever(self, again):
        load_batches([retired(1, 2)])

        with pytest.raises(SerialsKnown):
            load_batches([retired(*again)])

    def test_refuses_a_serial_in_the_database_too(self):
        (batch,) = load_batches([retired(1, 2)])
        batch.pk, batch.serials = None, NumericRange(2, 3)

        with pytest.raises(IntegrityError, match="a_serial_is_loaded_once"):
            CreditBatch.objects.create(
                **{name: getattr(batch, name) for name in ("registry", "project", "block", "block_id", "serials", "kind")},
                vintage=2025, retired_on=date(2026, 1, 1), evidence_sha256="ab" * 32, is_demonstration=False, leaf_index=99,
            )  # fmt: skip

    def test_takes_the_same_numbers_of_another_block(self):
        load_batches([retired(), retired(block="EX-1-2024")])

        assert CreditBatch.objects.count() == 2

    def test_loads_all_or_none(self):
        with pytest.raises(SerialsKnown):
            load_batches([retired(1, 2), retired(9, 1), retired(2, 1)])

        assert not CreditBatch.objects.exists()


@pytest.mark.django_db
class TestCommand:
    def test_shows_first_and_loads_when_told(self, file, capsys):
        path = file(retired(), retired(10, 1))

        call_command("load_batch", str(path))
        shown, before = capsys.readouterr().out, CreditBatch.objects.count()
        call_command("load_batch", str(path), "--load")

        assert ("Example Registry EX-1 2025: 2 t" in shown, before, CreditBatch.objects.count()) == (
            True,
            0,
            2,
        )

    def test_shows_what_overlaps(self, file, capsys):
        (known,) = load_batches([retired()])

        call_command("load_batch", str(file(retired(2, 1))))

        assert f"OVERLAPS {known.pk}" in capsys.readouterr().out

    def test_refuses_what_overlaps(self, file):
        load_batches([retired()])

        with pytest.raises(CommandError, match="were loaded before"):
            call_command("load_batch", str(file(retired(2, 1))), "--load")

    @pytest.mark.parametrize("change", [{"vintage": "old"}, {"retired_on": "yesterday"}, {"serial_to": 0}])
    def test_names_the_line_that_does_not_fit(self, file, change):
        with pytest.raises(CommandError, match="line 2"):
            call_command("load_batch", str(file(retired(**change))))

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"kind": "avoidance"}, "kind: 'avoidance' is neither reduction nor removal"),
            ({"evidence_sha256": "AB" * 32}, "evidence_sha256: Enter a valid value"),
            ({"project": ""}, "project: it must be said"),
            ({"country": "DEU"}, "country: Ensure this value has at most 2 characters"),
            ({"evidence_url": "registry"}, "evidence_url: Enter a valid URL"),
            ({"vintage": 70_000}, "vintage: Ensure this value is less than"),
            ({"serial_to": 2**63}, "serial_to is before serial_from, or they are too large"),
            ({"tonnes": 2 * 10**9}, "serial_to is before serial_from, or they are too large"),
        ],
    )
    def test_says_what_cannot_be_kept_before_anything_is_loaded(self, file, change, told):
        path = file(retired(), retired(**{"serial_from": 9} | change))

        with pytest.raises(CommandError, match=f"line 3: {told}"):
            call_command("load_batch", str(path), "--load")

        assert not CreditBatch.objects.exists()

    @pytest.mark.parametrize("name", ["Cafe\N{COMBINING ACUTE ACCENT}", "a\tb"])
    def test_refuses_words_that_no_receipt_could_say(self, file, name):
        with pytest.raises(CommandError, match=r"line 2: projectName (is not|has a control)"):
            call_command("load_batch", str(file(retired(project_name=name))))

    def test_says_that_there_is_no_file(self):
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("load_batch", "/nowhere/batches.csv")


@pytest.mark.django_db
class TestAllocation:
    def test_takes_the_oldest_vintage_first_and_goes_on_where_it_stopped(self, acme):
        load_batches([retired(1, 1, vintage=2026), retired(2, 1, vintage=2024)])

        spans = [(each.batch.vintage, each.span) for mg in (700, 10**9) for each in give(acme, mg)]

        assert spans == [
            (2024, NumericRange(0, 700)),
            (2024, NumericRange(700, 10**9)),
            (2026, NumericRange(0, 700)),
        ]

    def test_takes_nothing_where_the_pool_is_too_short(self, acme):
        load_batches([retired(1, 1)])

        assert give(acme, 10**9 + 1) == []
        assert CreditBatch.objects.get().allocated_mg == 0

    def test_leaves_what_is_for_demonstration_to_demonstrations(self, acme):
        load_batches([retired()], is_demonstration=True)

        assert give(acme, 5) == []

    def test_of_one_organization_is_hidden_from_others_and_still_not_given_twice(self, acme):
        load_batches([retired(1, 1)])
        rival = make.organization("rival")

        ours, theirs = give(acme, 10), give(rival, 10)

        assert (ours[0].span, theirs[0].span) == (NumericRange(0, 10), NumericRange(10, 20))
        assert list(Allocation.unscoped.all()) == ours


@pytest.mark.django_db
class TestDatabase:
    @pytest.fixture
    def allocation(self, acme) -> Allocation:
        load_batches([retired(1, 1)])
        return give(acme, 100)[0]

    def insert(self, allocation, lower, upper):
        return Allocation.unscoped.create(
            organization_id=allocation.organization_id,
            period=allocation.period,
            batch=allocation.batch,
            span=NumericRange(lower, upper),
        )

    def test_refuses_an_overlap(self, allocation):
        with pytest.raises(IntegrityError, match="a_milligram_is_allocated_once"):
            self.insert(allocation, 99, 100)

    def test_refuses_more_than_was_given_out(self, allocation):
        with pytest.raises(IntegrityError, match="not within what its batch has given out"):
            self.insert(allocation, 100, 101)

    def test_refuses_to_give_out_more_than_was_retired(self, allocation):
        with pytest.raises(IntegrityError, match="no_more_is_allocated_than_retired"):
            CreditBatch.objects.update(allocated_mg=10**9 + 1)

    @pytest.mark.parametrize("span", [(5, 5), (-1, 0), (None, 5), (5, None)])
    def test_refuses_what_is_no_interval(self, allocation, span):
        with pytest.raises(IntegrityError):
            self.insert(allocation, *span)

    @pytest.mark.parametrize(
        "change", [{"allocated_mg": 0}, {"project": "other"}, {"is_demonstration": True}]
    )
    def test_refuses_to_change_a_batch(self, allocation, change):
        with pytest.raises(IntegrityError, match="is final"):
            CreditBatch.objects.update(**change)

    @pytest.mark.parametrize(
        "act", [lambda rows: rows.delete(), lambda rows: rows.update(span=NumericRange(0, 1))]
    )
    def test_refuses_to_change_an_allocation(self, allocation, act):
        with pytest.raises(IntegrityError, match="is final"):
            act(Allocation.unscoped.all())


class Crash(Exception):
    """The process was ended in the middle."""


def operate(organizations, dice: random.Random, operations: int) -> dict[str, int]:
    """Random allocations, a third of them crashing before the commit; answers with what each organisation was given."""
    given = dict.fromkeys((organization.pk for organization in organizations), 0)
    periods = {organization.pk: make.period(organization) for organization in organizations}
    for _ in range(operations):
        organization = dice.choice(organizations)
        mg = dice.choice([1, dice.randrange(1, 1000), dice.randrange(1, 10**8)])
        try:
            with tenancy.organization(organization.pk), atomic():
                made = allocate(periods[organization.pk], mg, is_demonstration=False)
                if dice.random() < 1 / 3:
                    raise Crash
        except Crash:
            continue
        given[organization.pk] += sum(each.mg for each in made)
    return given


def check_books(organizations, given: dict[str, int]) -> None:
    """Sum of the intervals of a batch = allocated <= retired; per organisation = what it was given; no overlap."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for organization in organizations:
        with tenancy.organization(organization.pk):
            own = list(Allocation.unscoped.all())
        assert sum(each.mg for each in own) == given[organization.pk]
        for each in own:
            spans.setdefault(str(each.batch_id), []).append((each.span.lower, each.span.upper))
    for batch in CreditBatch.objects.all():
        intervals = sorted(spans.get(str(batch.pk), []))
        assert sum(upper - lower for lower, upper in intervals) == batch.allocated_mg <= batch.retired_mg
        assert all(upper == lower for (_, upper), (lower, _) in pairwise(intervals))


@pytest.mark.django_db(transaction=True)
class TestBooks:
    def prove(self, operations: int) -> None:
        organizations = [make.organization(slug) for slug in ("acme", "rival", "third")]
        load_batches([retired(1 + 10 * place, 1 + place, vintage=2020 + place) for place in range(5)])

        given = operate(organizations, random.Random(2026), operations)

        check_books(organizations, given)
        connection.close()

    def test_balance_after_a_thousand_operations_with_crashes(self):
        self.prove(1_000)

    @pytest.mark.proof
    def test_balance_after_a_hundred_thousand_operations_with_crashes(self):
        self.prove(100_000)
