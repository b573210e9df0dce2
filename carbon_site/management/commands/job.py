"""Run one recurring job once, in the foreground, as if the clock showed `--now`."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from carbon_site.ids import MalformedId, decode
from carbon_site.jobs import JOBS, run
from carbon_site.sweeps import Sweep


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
        taken = run(self.jobs[name], now, only=only)
        self.stdout.write(json.dumps({"job": name, "done": taken.count(True), "failed": taken.count(False)}))
        if not all(taken):
            sys.exit(1)


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
