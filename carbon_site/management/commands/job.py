"""Run one recurring job once, in the foreground, as if the clock showed `--now`."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from carbon_site.ids import MalformedId, decode
from carbon_site.sweeps import Row, Sweep
from carbon_site.worker import JOBS
from projects import tenancy

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Run one recurring job once, here. Prints one JSON line of counts; exit status 0 only if nothing failed."
    jobs: Mapping[str, tuple[Sweep, ...]] = JOBS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=self.jobs)
        parser.add_argument("--now", help="ISO 8601; UTC if it has no offset (default: the clock)")
        parser.add_argument("--organization", help="an id (org_…): this one only")

    def handle(self, *args: Any, **options: Any) -> None:
        name, only = options["name"], options["organization"]
        now = instant(options["now"]) if options["now"] is not None else timezone.now()
        if only is not None:
            insist_organization(only)
        taken: list[bool] = []
        for sweep in self.jobs[name]:  # in their order: what one has done may be due for the next
            taken += [take(sweep, row, now) for row in sweep.rows(now) if only in (None, row[0])]
        self.stdout.write(json.dumps({"job": name, "done": taken.count(True), "failed": taken.count(False)}))
        if not all(taken):
            sys.exit(1)


def take(sweep: Sweep, row: Row, now: datetime) -> bool:
    """Take one step, seeing only its organisation's rows. A failure is logged, and does not keep the other rows waiting."""
    try:
        with tenancy.organization(row[0]):
            sweep.step(*row, now=now)
    except Exception:  # whatever it is, it is this row's
        log.exception("job.step_failed", step=sweep.verb, organization=row[0], row=row[1])
        return False
    return True


def instant(words: str) -> datetime:
    try:
        said = datetime.fromisoformat(words)
    except ValueError:
        raise CommandError(
            f"--now: “{words}” is not a time in ISO 8601, such as 2026-11-03T00:00:00Z."
        ) from None
    return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)


def insist_organization(word: str) -> None:
    try:
        decode(word, "org")
    except MalformedId:
        raise CommandError(f"--organization: “{word}” is not an organisation's id (org_…).") from None
