import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from carbon_site.ids import decode
from carbon_site.management.commands import job
from carbon_site.sweeps import Row, Sweep
from carbon_site.tasks import Task
from projects import tenancy
from projects.models import Project
from tests import make
from tests.site.sample_tasks import archive, unarchived, wall
from tests.site.workers import environment

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
ARCHIVE = Sweep("archive", unarchived, archive)
pytestmark = pytest.mark.django_db


def run(*words: str, sweeps: tuple[Sweep, ...] = (ARCHIVE,)) -> tuple[dict[str, Any], Any]:
    """`manage.py job tidy WORDS`, of such a job: what it prints, and its exit status."""

    class Command(job.Command):
        jobs = {"tidy": sweeps}

    printed = StringIO()
    try:
        call_command(Command(), "tidy", *words, stdout=printed)
    except SystemExit as end:
        return json.loads(printed.getvalue()), end.code
    return json.loads(printed.getvalue()), 0


def step(function: Callable[[str, str], Any]) -> Task:
    return Task(run=lambda organization_id, row_id, now: function(organization_id, row_id), name="step")


def still_looking(now: datetime) -> Iterator[Row]:
    """As somebody might write it: it yields while it sees every organisation."""
    with tenancy.every_organization("sweep: a test"):
        yield from Project.unscoped.filter(is_default=False).values_list("organization_id", "pk")


def archived_at(project: Project) -> datetime | None:
    with tenancy.organization(project.organization_id):
        project.refresh_from_db()
    return project.archived_at


class TestJob:
    def test_takes_the_steps_that_are_due_as_if_the_clock_showed_now(self, acme):
        projects = [make.project(acme, name) for name in ("One", "Two")]

        said, status = run("--now", "2026-11-03T12:00:00Z")

        assert (said, status) == ({"job": "tidy", "done": 2, "failed": 0}, 0)
        assert [archived_at(project) for project in projects] == [NOW, NOW]

    def test_looks_at_the_clock_where_no_time_is_given(self, acme, time_machine):
        project = make.project(acme)
        time_machine.move_to(NOW, tick=False)

        run()

        assert archived_at(project) == NOW

    def test_finds_nothing_the_second_time(self, acme):
        make.project(acme)
        run()

        assert run() == ({"job": "tidy", "done": 0, "failed": 0}, 0)

    def test_is_for_one_organisation_where_that_is_asked(self, acme):
        ours, theirs = make.project(acme), make.project(make.organization("other"))

        said, _ = run("--organization", acme.pk)

        assert said["done"] == 1
        assert (archived_at(ours) is None, archived_at(theirs) is None) == (False, True)

    def test_goes_on_after_a_failure_and_then_fails(self, acme, caplog):
        bad, good = (make.project(acme, name) for name in ("Bad", "Good"))
        sweep = Sweep("divide", unarchived, step(lambda _, row: 1 / (row == good.pk)))

        said, status = run(sweeps=(sweep,))

        assert (said, status) == ({"job": "tidy", "done": 1, "failed": 1}, 1)
        assert bad.pk in caplog.text
        assert good.pk not in caplog.text

    def test_does_one_sweep_after_the_other(self, acme):
        make.project(acme)

        said, _ = run(sweeps=(ARCHIVE, ARCHIVE))

        assert said["done"] == 1

    def test_shows_each_step_the_rows_of_its_organisation_only(self, acme):
        others = [acme, make.organization("other")]
        for organization in others:
            make.project(organization)
        seen: list[tuple[str, list[str]]] = []

        run(sweeps=(Sweep("look", still_looking, step(lambda *row: seen.append((wall(), visible())))),))

        assert sorted(seen) == sorted((str(decode(one.pk)), [one.pk]) for one in others)


def visible() -> list[str]:
    return list(Project.unscoped.values_list("organization_id", flat=True).distinct())


class TestArguments:
    @pytest.mark.parametrize("name", ["poll", "reconcile", "close", "audit"])
    def test_name_the_jobs_of_the_contract(self, name):
        assert name in job.JOBS

    def test_take_a_time_without_an_offset_as_utc(self):
        assert job.instant("2026-11-03T12:00:00") == job.instant("2026-11-03T13:00+01:00") == NOW

    @pytest.mark.parametrize("words", ["yesterday", "2026-13-01", "", "1764"])
    def test_refuse_a_time_that_is_none(self, words):
        with pytest.raises(CommandError, match=f"^--now: “{words}” is not a time in ISO 8601"):
            call_command("job", "poll", "--now", words)

    def test_refuse_an_id_that_is_none(self):
        with pytest.raises(CommandError, match=r"^--organization: “acme” is not an organisation's id"):
            call_command("job", "poll", "--organization", "acme")

    def test_are_refused_in_one_line(self):
        command = [sys.executable, settings.BASE_DIR / "manage.py", "job", "poll", "--now", "yesterday"]

        ended = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
        assert ended.stderr.startswith("CommandError: --now: “yesterday”")
