"""Projects, workloads, the organisation and jobs, as a program meets them."""

import pytest
from django.db import IntegrityError

from carbon_site.ids import new_id
from projects.models import Job, Project, Workload
from tests import make

PROJECTS, WORKLOADS = "/api/v1/projects", "/api/v1/workloads"


@pytest.mark.django_db
class TestProjects:
    def test_begin_with_a_default_one_that_has_a_catch_all(self, admin):
        (project,) = admin.get(PROJECTS).json()["results"]
        (workload,) = admin.get(WORKLOADS, {"project": project["id"]}).json()["results"]

        assert (project["name"], project["is_default"]) == ("Default", True)
        assert (workload["project"], workload["is_catch_all"], workload["rules"]) == (project["id"], True, [])

    def test_are_made_with_a_catch_all(self, admin):
        made = admin.post(PROJECTS, {"name": "Search"}, format="json").json()

        (workload,) = admin.get(WORKLOADS, {"project": made["id"]}).json()["results"]

        assert workload["is_catch_all"]

    def test_have_names_of_their_own(self, admin):
        first = admin.post(PROJECTS, {"name": "Search"}, format="json").json()

        again = admin.post(PROJECTS, {"name": "Search"}, format="json")

        assert (again.status_code, again.json()["object"]) == (409, first["id"])
        assert again.json()["type"].endswith("/problems/name-taken")

    def test_keep_one_spelling_of_a_name(self, admin):
        made = admin.post(PROJECTS, {"name": "  Cafe\u0301 "}, format="json").json()

        assert made["name"] == "Caf\u00e9"

    @pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\u0000b", "a\nb", None, 7.5, [], {}])
    def test_refuse_a_name_that_is_none(self, admin, name):
        answer = admin.post(PROJECTS, {"name": name}, format="json")

        if name == 7.5:
            assert answer.status_code == 201  # a number is read as its text, as everywhere in the framework
        else:
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "name")

    def test_can_be_archived_and_leave_their_name_free(self, admin):
        made = admin.post(PROJECTS, {"name": "Search"}, format="json").json()

        answers = [admin.delete(f"{PROJECTS}/{made['id']}").status_code for _ in range(2)]

        assert answers == [204, 204]
        assert [project["name"] for project in admin.get(PROJECTS).json()["results"]] == ["Default"]
        assert admin.get(f"{PROJECTS}/{made['id']}").json()["archived_at"]
        assert admin.post(PROJECTS, {"name": "Search"}, format="json").status_code == 201

    def test_keep_the_default_one(self, admin, acme):
        default = Project.objects.for_organization(acme.pk).get()

        answer = admin.delete(f"{PROJECTS}/{default.pk}")

        assert (answer.status_code, answer.json()["type"][-7:]) == (409, "/in-use")

    def test_are_as_many_as_the_plan_allows(self, db):
        small = make.client(make.free_organization())

        answer = small.post(PROJECTS, {"name": "Second"}, format="json")

        assert (answer.status_code, answer.json()["plan"], answer.json()["limit"]) == (402, "starter", 1)
        assert answer.json()["type"].endswith("/problems/plan-limit")
        assert "plan=starter" in answer.json()["upgrade_url"]

    def test_are_listed_page_by_page(self, admin):
        for name in ["One", "Two"]:
            admin.post(PROJECTS, {"name": name}, format="json")

        first = admin.get(PROJECTS, {"limit": 2}).json()
        second = admin.get(first["next"]).json()

        assert [[row["name"] for row in page["results"]] for page in (first, second)] == [
            ["Two", "One"],
            ["Default"],
        ]
        assert (second["next"], first["previous"]) == (None, None)


@pytest.mark.django_db
class TestWorkloads:
    RULES = [{"provider": "openai", "model": "gpt-5*"}, {"api_key": "key_abc"}]

    @pytest.fixture
    def project(self, acme):
        return make.project(acme)

    def make(self, client, project, **changes):
        body = {"project": project.pk, "name": "Batch", "rules": self.RULES} | changes
        return client.post(WORKLOADS, body, format="json")

    def test_are_asked_in_order_of_priority_and_the_catch_all_last(self, admin, project):
        self.make(admin, project, name="Late", priority=200)
        self.make(admin, project, name="Early", priority=1)

        listed = admin.get(WORKLOADS, {"project": project.pk}).json()["results"]

        assert [workload["name"] for workload in listed] == ["Early", "Late", "Everything else"]

    def test_keep_their_rules(self, member, project):
        made = self.make(member, project)

        assert (made.status_code, made.json()["rules"], made.json()["priority"]) == (201, self.RULES, 100)

    @pytest.mark.parametrize(
        ("rules", "field"),
        [
            ([], "rules"),
            ([{}], "rules.0"),
            ([{"provider": "acme"}], "rules.0.provider"),
            ([{"provider": "openai"}, {"model": "gpt 5"}], "rules.1.model"),
            ([{"api_key": "a\u0007b"}], "rules.0.api_key"),
            ("x", "rules"),
            ([{"model": "*"}] * 51, "rules"),
        ],
    )
    def test_refuse_rules_that_say_nothing_that_is_known(self, admin, project, rules, field):
        answer = self.make(admin, project, rules=rules)

        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)

    def test_can_change_their_turn_but_not_their_project(self, admin, project, acme):
        made = self.make(admin, project).json()
        other = make.project(acme, "Other")

        changed = admin.patch(
            f"{WORKLOADS}/{made['id']}", {"priority": 5, "project": other.pk}, format="json"
        ).json()

        assert (changed["priority"], changed["project"]) == (5, project.pk)

    def test_do_not_join_a_project_that_is_not_there(self, admin, project):
        project.pk = new_id("prj")

        assert self.make(admin, project).status_code == 404

    def test_have_names_of_their_own_in_a_project(self, admin, project, acme):
        made = self.make(admin, project).json()

        again = self.make(admin, project)

        assert (again.status_code, again.json()["object"]) == (409, made["id"])
        assert self.make(admin, make.project(acme, "Other")).status_code == 201

    def test_keep_the_catch_all_as_it_is(self, admin, project):
        catch_all = Workload.unscoped.get(project=project, is_catch_all=True)
        there = f"{WORKLOADS}/{catch_all.pk}"

        assert admin.patch(there, {"name": "The rest"}, format="json").json()["name"] == "The rest"
        assert admin.patch(there, {"priority": 1}, format="json").status_code == 409
        assert admin.delete(there).status_code == 409

    def test_can_be_archived(self, admin, project):
        made = self.make(admin, project).json()

        answers = [admin.delete(f"{WORKLOADS}/{made['id']}").status_code for _ in range(2)]

        assert answers == [204, 204]
        assert len(admin.get(WORKLOADS, {"project": project.pk}).json()["results"]) == 1

    def test_refuse_a_filter_that_is_no_id(self, admin):
        answer = admin.get(WORKLOADS, {"project": "search"})

        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "project")


@pytest.mark.django_db
class TestOrganization:
    def test_says_and_changes_how_it_reports(self, admin):
        changes = {
            "timezone": "Europe/Berlin",
            "fiscal_year_start": 4,
            "retire_basis": "high",
            "public_name": "ACME",
        }

        changed = admin.patch("/api/v1/organization", changes, format="json")

        assert changed.status_code == 200
        assert admin.get("/api/v1/organization").json() | changes == admin.get("/api/v1/organization").json()

    @pytest.mark.parametrize(
        "change",
        [{"timezone": "Mars/Olympus"}, {"fiscal_year_start": 13}, {"retire_basis": "low"}, {"name": ""}],
    )
    def test_refuses_what_does_not_fit(self, admin, change):
        answer = admin.patch("/api/v1/organization", change, format="json")

        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (
            400,
            list(change),
        )

    def test_keeps_its_slug(self, admin):
        assert admin.patch("/api/v1/organization", {"slug": "other"}, format="json").json()["slug"] == "acme"


@pytest.mark.django_db
class TestJobs:
    def test_say_where_they_stand(self, admin, acme):
        job = Job.unscoped.create(
            organization=acme, kind="sync", subject="con_1", total=4, done=1, state="running"
        )

        said = admin.get(f"/api/v1/jobs/{job.pk}").json()

        assert (said["state"], said["done"], said["total"], said["finished_at"]) == ("running", 1, 4, None)

    def test_are_one_at_a_time_on_a_subject(self, acme):
        Job.unscoped.create(organization=acme, kind="sync", subject="con_1")

        with pytest.raises(IntegrityError, match="one_job_at_a_time_on_a_subject"):
            Job.unscoped.create(organization=acme, kind="sync", subject="con_1")
