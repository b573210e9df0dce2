"""Staff read everything that is light, choose whose heavy tables they see, and give a reason for what they do."""

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Permission
from django.db import IntegrityError
from django.urls import reverse

from carbon_site.admin import ReadOnlyAdmin
from carbon_site.models import StaffAction, TaskFailure
from projects.models import ApiKey
from telemetry.models import TelemetryEvent
from tests import make

OURS = {"carbon_site", "projects", "connections", "telemetry", "emissions", "billing", "receipts", "audit"}


def registered() -> list:
    return list(django_admin.site._registry.values())


def changepage(row) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def changelist(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.django_db
class TestStaffPages:
    def test_are_for_staff(self, client):
        assert client.get("/admin/").status_code == 302

    def test_show_what_runs(self, staff, acme):
        page = staff.get("/admin/").content.decode()

        assert "no worker has reported for a minute" in page
        assert "Acme (acme)" in page

    @pytest.mark.parametrize(
        "model", [admin.model for admin in registered()], ids=lambda model: model.__name__
    )
    def test_open_for_each_model(self, staff, acme, model):
        make.workload(make.project(acme))
        make.api_key(acme)

        assert staff.get(changelist(model)).status_code == 200
        for row in model._default_manager.all()[:1]:
            assert staff.get(changepage(row)).status_code == 200

    def test_show_the_rows_of_all_organizations(self, staff):
        for slug in ("acme", "rival"):
            make.api_key(make.organization(slug), name=f"the key of {slug}")

        page = staff.get(changelist(ApiKey)).content.decode()

        assert "the key of acme" in page
        assert "the key of rival" in page

    def test_are_read_only(self):
        assert {type(admin).__mro__.index(ReadOnlyAdmin) > 0 for admin in registered()} == {True}
        assert not any(
            admin.has_add_permission(None) or admin.has_change_permission(None) for admin in registered()
        )
        assert not any(admin.has_delete_permission(None) for admin in registered())

    def test_never_show_a_key(self, staff, acme):
        made = make.api_key(acme)
        page = staff.get(reverse("admin:projects_apikey_change", args=[made.row.pk])).content.decode()

        assert made.row.hint in page
        assert made.secret not in page
        assert ApiKey.digest_of(made.secret).hex()[:16] not in page
        assert "digest" not in page.lower()


@pytest.mark.django_db
class TestChoice:
    def test_of_an_organization_is_kept(self, staff, acme):
        staff.post("/admin/choose-organization/", {"organization": acme.pk})

        assert f'value="{acme.pk}" selected' in staff.get("/admin/").content.decode()

    @pytest.mark.parametrize("word", ["", "nobody", "org_01h455vb4pex5vsknk084sn02q"])
    def test_of_nobody_shows_nobody(self, staff, acme, word):
        staff.post("/admin/choose-organization/", {"organization": word})

        assert " selected" not in staff.get("/admin/").content.decode()


@pytest.mark.django_db
class TestActions:
    def revoke(self, staff, key, reason):
        data = {"action": "revoke", "_selected_action": [key.row.pk], "reason": reason}
        return staff.post(changelist(ApiKey), data, follow=True).content.decode()

    def test_are_noted_with_their_reason(self, staff, acme):
        key = make.api_key(acme)

        self.revoke(staff, key, "leaked, ticket 12")

        assert ApiKey.objects.for_organization(acme.pk).get().revoked_at
        noted = list(StaffAction.objects.values_list("actor", "action", "target", "reason", "outcome"))
        assert noted == [
            ("ada", "revoke", f"projects.ApiKey {key.row.pk}", "leaked, ticket 12", outcome)
            for outcome in ("asked", "done")
        ]

    def test_do_nothing_without_a_reason(self, staff, acme):
        key = make.api_key(acme)

        page = self.revoke(staff, key, " ")

        assert "an action needs its reason" in page
        assert ApiKey.objects.for_organization(acme.pk).get().revoked_at is None
        assert not StaffAction.objects.exists()

    def test_need_more_than_the_right_to_look(self, client, acme, django_user_model):
        looker = django_user_model.objects.create_user("eve", is_staff=True)
        looker.user_permissions.add(Permission.objects.get(codename="view_apikey"))
        client.force_login(looker)

        self.revoke(client, make.api_key(acme), "just so")

        assert ApiKey.objects.for_organization(acme.pk).get().revoked_at is None

    @pytest.mark.parametrize("change", ["update", "delete"])
    def test_once_noted_are_final(self, change):
        noted = StaffAction.objects.create(
            actor="ada", action="revoke", target="x", reason="y", outcome="done"
        )
        rows = StaffAction.objects.filter(pk=noted.pk)

        with pytest.raises(IntegrityError, match="is final"):
            rows.delete() if change == "delete" else rows.update(reason="z")

    def test_need_a_reason_in_the_database_too(self):
        with pytest.raises(IntegrityError, match="staff_action_has_a_reason"):
            StaffAction.objects.create(actor="ada", action="revoke", target="x", reason="", outcome="done")


@pytest.mark.django_db
class TestHeavyTables:
    def test_show_one_organization_once_it_is_chosen(self, staff):
        acme = make.organization("acme")
        make.record(make.connection(make.project(acme)), make.usage_row(model="gpt-of-acme", output=1))
        before = staff.get(changelist(TelemetryEvent)).content.decode()
        staff.post("/admin/choose-organization/", {"organization": acme.pk})

        after = staff.get(changelist(TelemetryEvent)).content.decode()

        assert "Choose an organisation" in before
        assert ("gpt-of-acme" in before, "gpt-of-acme" in after) == (False, True)


@pytest.mark.django_db
@pytest.mark.usefixtures("one_minute")
class TestLogin:
    def test_counts_wrong_passwords_as_wrong_credentials(self, client, settings):
        settings.ADDRESS_FAILED_CREDENTIALS_PER_MINUTE = 2
        wrong = {"username": "ada", "password": "guess"}

        codes = [client.post("/admin/login/", wrong).status_code for _ in range(3)]

        assert codes == [200, 200, 429]


@pytest.mark.django_db
class TestFailures:
    def test_are_shown_on_the_home_page(self, staff):
        TaskFailure.objects.create(
            name="telemetry.poll",
            task_id="poll:1",
            arguments=[],
            error="ProviderUnavailable: 503",
            traceback="",
            attempt=4,
        )

        assert "ProviderUnavailable: 503" in staff.get("/admin/").content.decode()
