"""The task modules, unchanged, on a real Celery worker."""

import pytest

from projects import tenancy
from projects.models import Project
from tests import make
from tests.site.celery_worker import application
from tests.site.workers import eventually, process, told

pytestmark = pytest.mark.django_db(transaction=True)


def is_archived(project: Project) -> bool:
    with tenancy.organization(project.organization_id):
        project.refresh_from_db()
    return project.archived_at is not None


class TestCelery:
    def test_runs_the_same_task_modules(self, acme, tmp_path):
        project = make.project(acme, "Search")
        app = application(str(tmp_path))

        with process("-m", "tests.site.celery_worker", CELERY_FOLDER=str(tmp_path)):
            app.send_task("sample.note", (acme.pk, "on Celery"))
            app.send_task("sample.stumble", (acme.pk, 1))
            app.send_task("sample.stumble_by_itself", (acme.pk, 1))
            app.send_task("sample.archive_projects")
            eventually(lambda: is_archived(project) and len(told()) == 5)

        note, *attempts = told()
        assert (note["word"], note["projects"]) == ("on Celery", ["Default", "Search"])
        assert sorted(attempt["retries"] for attempt in attempts) == [0, 0, 1, 1]
