"""Two walls, and what happens to whoever forgets one of them."""

import ast
import time
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, connection
from django.db.utils import ProgrammingError

from carbon_site.ids import decode
from projects import tenancy
from projects.models import Organization, Project, Workload
from projects.tenancy import OrganizationOwned, Unscoped
from telemetry.models import Heavy
from tests import make

OURS = ["carbon_site", "projects", "connections", "telemetry", "emissions", "billing", "receipts", "audit"]
GLOBAL_MODELS = {
    "Organization", "StaffAction", "TaskFailure", "CarbonFactors", "FactorCombination", "CreditBatch",
    "LogHead", "LogLeaf", "LogNode", "SigningKey", "StatusList",
}  # fmt: skip
EVERY_ORGANIZATION = {
    "credential look-up",
    "public verify",
    "staff pages",
    "sweep",
}  # of the six there may be, those in use


def backend() -> int:
    connection.ensure_connection()
    return connection.connection.info.backend_pid


def current_user() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return cursor.fetchone()[0]


class TestFirstWall:
    def test_refuses_a_query_that_does_not_say_whose(self):
        with pytest.raises(Unscoped):
            Project.objects.all()

    def test_shows_one_organization(self, acme):
        assert [project.name for project in Project.objects.for_organization(acme.pk)] == ["Default"]

    def test_every_model_says_whose_it_is(self):
        models = {model for model in apps.get_models() if model._meta.app_label in OURS}

        free = {model.__name__ for model in models if not issubclass(model, OrganizationOwned)}

        assert free == GLOBAL_MODELS


@pytest.mark.django_db
class TestSecondWall:
    def test_stands_before_the_role_that_tests_run_as(self):
        assert current_user() == "carbon_app"

    def test_hides_the_rows_of_others_from_a_query_without_a_filter(self, acme):
        make.organization("rival")

        assert {project.organization_id for project in Project.unscoped.all()} == {acme.pk}

    def test_hides_everything_from_a_connection_that_was_told_nothing(self):
        make.organization("acme")

        assert not Project.unscoped.exists()

    def test_refuses_a_row_of_another_organization(self, acme):
        rival = make.organization("rival")

        with pytest.raises(ProgrammingError, match="row-level security"):
            Project.unscoped.create(organization_id=rival.pk, name="Ours now")

    def test_refuses_a_workload_in_the_project_of_another(self, acme):
        rival = make.organization("rival")
        with tenancy.organization(rival.pk):
            theirs = Project.unscoped.get()
        Workload.unscoped.create(organization_id=acme.pk, project=theirs, name="x", rules=[{"model": "*"}])

        with pytest.raises(IntegrityError, match="workload_of_the_same_organization"):
            connection.check_constraints()

    def test_stands_on_each_table_of_an_organization(self):
        owned = {model._meta.db_table for model in apps.get_models() if issubclass(model, OrganizationOwned)}
        heavy = {model._meta.db_table for model in apps.get_models() if issubclass(model, Heavy)}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tablename, array_agg(policyname::text ORDER BY policyname) FROM pg_policies GROUP BY 1"
            )
            walls = dict(cursor.fetchall())
            cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity")
            enabled = {name for (name,) in cursor.fetchall()}

        assert owned == walls.keys() == enabled
        assert {table for table, names in walls.items() if names == ["one_organization"]} == heavy
        assert {table for table, names in walls.items() if len(names) == 2} == owned - heavy

    def test_opens_within_the_block_and_no_longer(self):
        make.organization("acme")
        make.organization("rival")

        with tenancy.every_organization("test: what the block shows"):
            within = Project.unscoped.count()

        assert (within, Project.unscoped.count()) == (2, 0)

    def test_survives_an_error_within_the_block(self, acme):
        with pytest.raises(ValueError), tenancy.every_organization("test: an error"):
            raise ValueError

        assert {project.organization_id for project in Project.unscoped.all()} == {acme.pk}

    def test_goes_back_to_the_organization_before(self, acme):
        rival = make.organization("rival")

        with tenancy.organization(rival.pk):
            pass

        assert {project.organization_id for project in Project.unscoped.all()} == {acme.pk}


@pytest.mark.django_db(transaction=True)
class TestPool:
    def test_a_connection_carries_nothing_to_its_next_borrower(self):
        acme = make.organization("acme")
        with tenancy.every_organization("test: left on when the connection goes back"):
            tenancy.enter_organization(acme.pk)
            before = backend()
            connection.close()

        for _ in range(200):  # until the pool hands out the same connection again
            assert not Project.unscoped.exists()
            if backend() == before:
                break
            connection.close()
            time.sleep(0.01)
        assert backend() == before

    def test_an_organization_made_in_one_transaction_is_whole(self):
        acme = make.organization("acme")

        with tenancy.organization(acme.pk):
            assert Workload.unscoped.filter(is_catch_all=True).count() == 1


def calls(name: str) -> dict[str, str]:
    """Where a function is called in our code, with its first argument."""
    found = {}
    for app in OURS:
        for path in Path(settings.BASE_DIR, app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", getattr(node.func, "attr", None)) == name
                ):
                    found[f"{path.relative_to(settings.BASE_DIR)}:{node.lineno}"] = ast.literal_eval(
                        node.args[0]
                    )
    return found


class TestEscapeHatch:
    def test_has_its_known_uses_and_no_other(self):
        reasons = [why.split(":")[0] for why in calls("every_organization").values()]

        assert set(reasons) == EVERY_ORGANIZATION

    def test_is_the_only_one(self):
        places = {path.name for path in our_code() if "carbon.every_organization" in path.read_text()}

        assert places == {"tenancy.py", "settings.py"}


def our_code() -> list[Path]:
    paths = [path for app in OURS for path in Path(settings.BASE_DIR, app).rglob("*.py")]
    return [path for path in paths if path.parent.name != "migrations"]


@pytest.mark.django_db
class TestIds:
    def test_are_words_in_python_and_uuids_in_the_database(self, acme):
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM projects_organization")
            (stored,) = cursor.fetchone()

        assert (acme.pk[:4], stored) == ("org_", decode(acme.pk))

    def test_of_a_row_come_back_through_a_foreign_key(self, acme):
        workload = Workload.objects.for_organization(acme.pk).select_related("project").get()

        assert (
            workload.project_id == workload.project.pk == Project.objects.for_organization(acme.pk).get().pk
        )

    def test_of_another_kind_are_nothing_that_is_there(self, admin, acme):
        assert admin.get(f"/api/v1/projects/{acme.pk}").status_code == 404
        assert Organization.objects.filter(pk=acme.pk).exists()
