"""One key, one object: repeated, contested, cut off anywhere."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from carbon_site.ids import new_id
from projects import tenancy
from projects.idempotency import IdempotencyInProgress, claim_key
from projects.models import IdempotentAnswer, Project
from tests import make

PROJECTS = "/api/v1/projects"


def post(client, key="k-1", **body):
    return client.post(PROJECTS, {"name": "Search"} | body, format="json", headers={"Idempotency-Key": key})


@pytest.mark.django_db
class TestIdempotencyKey:
    def test_gives_the_same_answer_again(self, admin):
        first, again = post(admin), post(admin)

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")

    def test_makes_one_object(self, admin, acme):
        for _ in range(3):
            post(admin)

        assert Project.objects.for_organization(acme.pk).filter(name="Search").count() == 1

    def test_is_refused_for_another_body(self, admin):
        post(admin)

        answer = post(admin, name="Other")

        assert (answer.status_code, answer.json()["type"][-21:]) == (422, "/idempotency-mismatch")

    def test_is_refused_for_another_address(self, admin):
        post(admin)

        answer = admin.post(
            "/api/v1/workloads", {"name": "Search"}, format="json", headers={"Idempotency-Key": "k-1"}
        )

        assert answer.status_code == 422

    def test_is_the_credentials_own(self, admin, acme):
        first = post(admin)

        other = post(make.client(acme), name="Other")

        assert (first.status_code, other.status_code) == (201, 201)

    def test_is_free_again_after_a_refusal(self, admin):
        refused = post(admin, name="")

        assert (refused.status_code, post(admin).status_code) == (400, 201)

    def test_is_forgotten_after_a_day(self, admin, acme):
        first = post(admin)
        IdempotentAnswer.objects.for_organization(acme.pk).update(
            claimed_at=timezone.now() - timedelta(hours=24)
        )

        assert (post(admin).status_code, first.status_code) == (409, 201)  # the name is taken: a new attempt

    @pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "é"])
    def test_of_another_form_is_refused(self, admin, key):
        assert post(admin, key.encode().decode("latin1")).status_code == 400

    def test_of_work_that_is_going_on_is_told_to_wait(self, acme):
        claim(acme)

        with pytest.raises(IdempotencyInProgress):
            claim(acme)

    def test_of_work_that_was_cut_off_is_taken_over_with_the_same_id(self, acme):
        first = claim(acme)

        second = claim(acme, now=make.NOW + timedelta(minutes=1))

        assert second.object_id == first.object_id


def claim(organization, now=make.NOW):
    return claim_key(
        organization_id=organization.pk,
        credential="key_1",
        key="k-1",
        route="POST /api/v1/projects",
        body_digest=b"\x01" * 32,
        object_id=new_id("prj"),
        now=now,
    )


class Killed(BaseException):
    """The process was ended here."""


@pytest.mark.django_db(transaction=True)
class TestKill:
    """A request that dies after its n-th statement, then is sent again when its claim has aged: one object."""

    def test_at_any_statement_makes_one_object(self):
        acme = make.organization("acme")
        statements = self.statements_of_a_request(make.client(acme))
        for victim in range(statements):
            client = make.client(acme)
            name = f"Search {victim}"
            self.die_after(victim, lambda client=client, name=name: post(client, name=name))
            self.age_the_claims(acme)

            answer = post(client, name=name)

            assert answer.status_code == 201, (victim, answer.json())
            with tenancy.organization(acme.pk):
                assert Project.unscoped.filter(name=name).count() == 1
                assert answer.json()["id"] == Project.unscoped.get(name=name).pk

    def statements_of_a_request(self, client) -> int:
        seen: list[str] = []

        def note(execute, sql, *rest):
            seen.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            post(client)
        return len(seen)

    def die_after(self, victim, request) -> None:
        left = [victim]

        def die(execute, *args):
            answer = execute(*args)
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return answer

        with pytest.raises(Killed), connection.execute_wrapper(die):
            request()
        connection.close()

    def age_the_claims(self, organization) -> None:
        with tenancy.organization(organization.pk):
            IdempotentAnswer.unscoped.update(claimed_at=timezone.now() - timedelta(minutes=1))

    def test_two_at_once_make_one_object(self):
        acme = make.organization("acme")
        clients = [make.client(acme)] * 4
        answers: list[int] = []

        def ask(client) -> None:
            answers.append(post(client).status_code)
            connection.close()

        threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 201 in answers
        assert set(answers) <= {201, 409}
        with tenancy.organization(acme.pk):
            assert Project.unscoped.filter(name="Search").count() == 1
