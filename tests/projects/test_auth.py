"""Who is let in, and what each role may do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from carbon_site import throttles
from projects import entitlements, services, tenancy
from projects.entitlements import Grant
from projects.models import ApiKey
from tests import make

ME = "/api/v1/me"


@pytest.mark.django_db
class TestApiKey:
    def test_opens_its_organization(self, acme):
        answer = make.client(acme, role="auditor", scope="read").get(ME)

        assert (answer.status_code, answer.json()["organization"]["id"]) == (200, acme.pk)
        assert (answer.json()["role"], answer.json()["may_write"]) == ("auditor", False)

    def test_is_kept_as_a_hash_only(self, acme):
        made = make.api_key(acme)

        row = ApiKey.objects.for_organization(acme.pk).values().get()

        assert made.secret.startswith("cfk_")
        assert bytes(row.pop("digest")) == ApiKey.digest_of(made.secret)
        assert made.secret not in str(row)

    @pytest.mark.parametrize(
        "token", ["cfk_wrong", "cfk_" + "é" * 9, "cfk_", "nonsense", "cfk_" + "x" * 20_000]
    )
    def test_that_is_wrong_is_refused(self, db, token):
        answer = make.with_token(token.encode("latin1").decode("latin1")).get(ME)

        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json()["type"].endswith("/problems/not-authenticated")

    @pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "Bearer a b", "\x00"])
    def test_in_another_form_is_refused(self, client, db, header):
        assert client.get(ME, headers={"Authorization": header}).status_code == 401

    def test_that_has_expired_is_refused(self, acme):
        made = make.api_key(acme, expires_at=timezone.now() + timedelta(hours=1))
        ApiKey.objects.for_organization(acme.pk).filter(pk=made.row.pk).update(expires_at=timezone.now())

        assert make.with_token(made.secret).get(ME).status_code == 401

    def test_that_was_revoked_is_refused(self, acme, admin):
        made = make.api_key(acme)

        answers = [admin.delete(f"/api/v1/api-keys/{made.row.pk}").status_code for _ in range(2)]

        assert answers == [204, 204]
        assert make.with_token(made.secret).get(ME).status_code == 401

    def test_notes_when_it_was_used(self, acme):
        made = make.api_key(acme)
        make.with_token(made.secret).get(ME)

        used = ApiKey.objects.for_organization(acme.pk).get().last_used_at

        assert timezone.now() - used < timedelta(minutes=1)

    def test_never_makes_keys(self, admin):
        answer = admin.post("/api/v1/api-keys", {"name": "another"}, format="json")

        assert answer.status_code == 403


@pytest.mark.django_db
class TestRoles:
    RENAMES = {"name": "New name"}

    def test_an_auditor_reads_projects_but_neither_writes_nor_sees_keys(self, auditor):
        assert auditor.get("/api/v1/projects").status_code == 200
        assert auditor.post("/api/v1/projects", self.RENAMES, format="json").status_code == 403
        assert auditor.get("/api/v1/api-keys").status_code == 403

    def test_a_member_makes_and_renames_but_does_not_delete(self, member):
        made = member.post("/api/v1/projects", {"name": "Search"}, format="json")
        there = f"/api/v1/projects/{made.json()['id']}"

        assert made.status_code == 201
        assert member.patch(there, self.RENAMES, format="json").json()["name"] == "New name"
        assert member.delete(there).status_code == 403
        assert member.patch("/api/v1/organization", self.RENAMES, format="json").status_code == 403

    def test_an_admin_does_everything(self, admin):
        made = admin.post("/api/v1/projects", {"name": "Search"}, format="json")

        assert admin.delete(f"/api/v1/projects/{made.json()['id']}").status_code == 204
        assert admin.patch("/api/v1/organization", self.RENAMES, format="json").status_code == 200

    def test_a_key_that_only_reads_does_not_write_whatever_its_role(self, acme):
        reader = make.client(acme, role="admin", scope="read")

        assert reader.get("/api/v1/projects").status_code == 200
        assert reader.post("/api/v1/projects", {"name": "Search"}, format="json").status_code == 403


@pytest.mark.django_db
@pytest.mark.usefixtures("one_minute")
class TestThrottles:
    def test_say_what_is_left(self, db):
        acme = make.organization("acme", requests_a_minute=100)

        answer = make.client(acme).get(ME)

        assert (answer["RateLimit-Limit"], answer["RateLimit-Remaining"]) == ("100", "99")
        assert 0 < int(answer["RateLimit-Reset"]) <= 60

    def test_stop_a_key_that_asks_too_often(self, db):
        busy = make.client(make.organization("acme", requests_a_minute=2))

        answers = [busy.get(ME) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["type"].endswith("/problems/too-many-requests")
        assert 0 < int(answers[-1]["Retry-After"]) <= 60

    @pytest.mark.parametrize("last", [1, 0, -1])  # minutes of the plan that are left
    def test_are_those_of_the_plan_that_holds_now(self, acme, last):
        until = timezone.now() + timedelta(minutes=last)
        grants = [Grant("requests_a_minute", 100, until=until)]
        services.set_entitlements(acme.pk, plan="growth", grants=grants)

        answer = make.client(acme).get(ME)

        now = entitlements.allowed(acme.pk, "requests_a_minute", now=timezone.now())
        assert answer["RateLimit-Limit"] == str(now.limit) == ("100" if last > 0 else "30")

    def test_are_none_where_the_plan_has_none(self, acme):
        services.set_entitlements(acme.pk, plan="growth", grants=[Grant("requests_a_minute", None)])

        assert "RateLimit-Limit" not in make.client(acme).get(ME)

    def test_stop_an_organization_that_asks_with_many_keys(self, db):
        acme = make.organization("acme", requests_a_minute=1)

        answers = [make.client(acme).get(ME).status_code for _ in range(4)]

        assert answers == [200, 200, 200, 429]

    def test_of_a_key_that_asks_too_often_take_nothing_from_the_others(self, db):
        acme = make.organization("acme", requests_a_minute=2)
        busy, quiet = make.client(acme), make.client(acme)
        for _ in range(20):
            busy.get(ME)

        assert quiet.get(ME).status_code == 200

    def test_stop_an_address_that_guesses(self, acme, settings):
        settings.ADDRESS_FAILED_CREDENTIALS_PER_MINUTE = 2
        honest = make.client(acme)

        answers = [make.with_token(f"cfk_guess{number}").get(ME).status_code for number in range(3)]

        assert answers == [401, 401, 429]
        assert honest.get(ME).status_code == 429
        assert honest.get(ME, REMOTE_ADDR="192.0.2.7").status_code == 200

    def test_stop_an_address_that_asks_too_often(self, acme, settings):
        settings.ADDRESS_REQUESTS_PER_MINUTE = 1
        honest = make.client(acme)

        assert [honest.get(ME).status_code for _ in range(2)] == [200, 429]

    def test_count_the_address_that_our_own_proxy_saw(self, rf, settings):
        settings.TRUSTED_PROXIES = 1
        request = rf.get("/", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})

        assert throttles.address(request) == "203.0.113.9"

    def test_let_everybody_through_while_redis_is_away(self, acme, settings, client):
        settings.REDIS_URL = f"unix://{settings.STATE_DIR}/nobody-listens.sock"
        throttles.counters.cache_clear()
        try:
            answer = make.client(acme).get(ME)
            ready = client.get("/readyz")
        finally:
            throttles.counters.cache_clear()

        assert (answer.status_code, "RateLimit-Limit" in answer) == (200, False)
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


@pytest.mark.django_db
class TestWall:
    def test_is_set_by_the_credential(self, acme, admin):
        tenancy.enter_organization(make.organization("rival").pk)

        admin.get(ME)

        assert ApiKey.unscoped.count() == 1
