"""Connecting an account, as a program meets it."""

import pytest

from carbon_site.secret_store import secret_store
from connections.models import ProviderConnection
from connections.services import prove
from tests import make

CONNECTIONS = "/api/v1/connections"


@pytest.fixture
def world(sandbox, settings):
    settings.OPENAI_BASE_URL = sandbox.openai
    yield sandbox
    sandbox.heal()


def connect(client, key="sk-admin-sandbox-acme", **changes):
    body = {"provider": "openai", "name": "Production", "api_key": key} | changes
    return client.post(CONNECTIONS, body, format="json")


@pytest.mark.django_db
class TestConnect:
    def test_tries_the_key_and_seals_it(self, admin, world):
        made = connect(admin)

        row = ProviderConnection.unscoped.get()
        assert (made.status_code, made.json()["status"], made.json()["key_hint"]) == (201, "active", "acme")
        assert "sk-admin" not in made.content.decode() + row.secret
        assert secret_store().open(row.secret) == "sk-admin-sandbox-acme"

    def test_reads_from_the_first_day_of_the_month_before_last(self, admin, world, time_machine):
        time_machine.move_to("2026-01-05T10:00:00Z", tick=True)

        assert connect(admin).json()["read_from"] == "2025-11-01T00:00:00Z"

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            ("sk-admin-revoked", "invalid_credentials"),
            ("sk-admin-unscoped-acme", "insufficient_scope"),
            ("sk-admin-unscoped401-acme", "insufficient_scope"),
            ("sk-admin-quota-acme", "billing_issue"),
            ("sk-proj-acme", "wrong_key_type"),
        ],
    )
    def test_refuses_a_key_with_its_reason_and_keeps_nothing(self, admin, world, key, reason):
        answer = connect(admin, key)

        assert (answer.status_code, answer.json()["reason"]) == (422, reason)
        assert answer.json()["type"].endswith("/connection-key-refused")
        assert key not in answer.content.decode()
        assert not ProviderConnection.unscoped.exists()

    def test_waits_for_a_provider_that_is_down(self, admin, world):
        world.fault("broken")

        made = connect(admin).json()

        assert (made["status"], made["account"]) == ("pending", None)
        assert "cannot be reached" in made["status_detail"]

    def test_proves_what_was_pending_when_the_provider_is_back(self, admin, world, acme):
        world.fault("broken")
        made = connect(admin).json()
        world.heal()

        proved = admin.post(f"{CONNECTIONS}/{made['id']}/validate").json()

        assert (proved["status"], bool(proved["account"])) == ("active", True)

    def test_refuses_the_same_account_twice_and_names_the_other(self, admin, world):
        first = connect(admin).json()

        again = connect(admin, "sk-admin-sandbox-acme_2")

        assert (again.status_code, again.json()["object"]) == (409, first["id"])

    def test_lets_two_organizations_have_one_account(self, admin, world):
        connect(admin)

        assert connect(make.client(make.organization("rival"))).status_code == 201

    def test_takes_a_key_without_the_scope_that_names_projects(self, admin, world):
        made = connect(admin, "sk-admin-usageonly-acme").json()

        assert (made["status"], made["account"]) == ("active", made["id"])

    def test_knows_an_account_by_any_of_its_names(self, admin, world):
        """A cost row names the organisation on one day and not on another; the oldest project always stands for it."""
        first = connect(admin, "sk-admin-sandbox-globex").json()
        (oldest,) = ProviderConnection.unscoped.values_list("names", flat=True)
        ProviderConnection.unscoped.update(account=oldest[-1], names=oldest[-1:])

        again = connect(admin, "sk-admin-sandbox-globex_2")

        assert (len(oldest), again.status_code, again.json()["object"]) == (2, 409, first["id"])

    def test_refuses_a_key_that_cannot_be_told_from_what_is_known(self, admin, world):
        connect(admin)

        answer = connect(admin, "sk-admin-usageonly-acme")

        assert (answer.status_code, answer.json()["reason"]) == (422, "insufficient_scope")
        assert "Management: read" in answer.json()["detail"]

    def test_tells_usage_apart_by_the_same_name_after_an_archived_connection(self, admin, world):
        first = connect(admin).json()
        admin.delete(f"{CONNECTIONS}/{first['id']}")

        assert connect(admin).json()["account"] == first["account"]

    def test_is_what_the_plan_allows(self, world):
        small = make.client(make.organization("small", connections=0))

        assert connect(small).status_code == 402

    def test_is_for_an_admin(self, member, auditor, world):
        assert connect(member).status_code == 403
        assert auditor.get(CONNECTIONS).status_code == 200

    def test_makes_one_connection_for_an_idempotency_key(self, admin, world):
        body = {"provider": "openai", "name": "Production", "api_key": "sk-admin-sandbox-acme"}
        ask = {"data": body, "format": "json", "headers": {"Idempotency-Key": "k"}}

        first, again = (admin.post(CONNECTIONS, **ask).json() for _ in range(2))

        assert first == again


@pytest.mark.django_db
class TestConnection:
    @pytest.fixture
    def made(self, admin, world):
        return connect(admin).json()

    def test_is_renamed_and_paused(self, admin, made):
        changed = admin.patch(
            f"{CONNECTIONS}/{made['id']}", {"name": "Old", "paused": True}, format="json"
        ).json()

        assert (changed["name"], changed["paused"], changed["status"]) == ("Old", True, "paused")

    def test_keeps_its_provider_and_its_key(self, admin, made):
        changes = {"provider": "anthropic", "api_key": "sk-admin-sandbox-other"}

        changed = admin.patch(f"{CONNECTIONS}/{made['id']}", changes, format="json").json()

        assert (changed["provider"], changed["key_hint"]) == ("openai", "acme")

    def test_goes_to_another_project_of_its_organization_alone(self, admin, made, acme):
        ours, theirs = make.project(acme), make.project(make.organization("rival"))

        answers = [
            admin.patch(f"{CONNECTIONS}/{made['id']}", {"project": project.pk}, format="json").status_code
            for project in (ours, theirs)
        ]

        assert answers == [200, 404]

    def test_that_is_archived_is_neither_tried_nor_changed(self, admin, made):
        there = f"{CONNECTIONS}/{made['id']}"
        admin.delete(there)

        answers = [admin.post(f"{there}/validate"), admin.patch(there, {"name": "New"}, format="json")]

        assert [answer.status_code for answer in answers] == [409, 409]

    def test_forgets_its_key_when_it_is_archived_and_frees_the_account(self, admin, made):
        answers = [admin.delete(f"{CONNECTIONS}/{made['id']}").status_code for _ in range(2)]

        assert answers == [204, 204]
        assert ProviderConnection.unscoped.get().secret == ""
        assert admin.get(CONNECTIONS).json()["results"] == []
        assert connect(admin).status_code == 201

    def test_that_was_proved_again_as_another_account_is_not_believed(self, acme, made):
        ProviderConnection.unscoped.update(account="org-other", names=["org-other"])

        tried = prove(organization_id=acme.pk, connection_id=made["id"], now=make.NOW)

        assert tried.status == "wrong_key_type"
