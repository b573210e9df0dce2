"""Make the demonstration, or show it again: what `up --demo` calls."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from carbon_site import demo
from carbon_site.management.commands.job import instant


class Command(BaseCommand):
    help = "An organisation with usage from the sandbox, closed months and receipts, and a member of staff. Safe to repeat; in local alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", help="ISO 8601; as if the clock showed this (default: the clock)")

    def handle(self, **options: Any) -> None:
        if not settings.LOCAL:
            raise CommandError("The demonstration is for a developer's own machine (CARBON_ENV=local).")
        clock = timezone.now()
        now = instant(options["now"]) if options["now"] is not None else clock
        if now > clock:
            raise CommandError("--now: the sandbox has no usage from after the clock's time.")
        try:
            for step in demo.make(now):
                self.stdout.write(f"  demo: {step} …")
        except demo.Unfinished as unfinished:
            raise CommandError(str(unfinished)) from unfinished
        self.show(demo.kept())

    def show(self, made: dict[str, str]) -> None:
        self.stdout.write(f"  API key    {made['api_key']}")
        self.stdout.write(f"  Staff      {demo.STAFF} / {made['staff_password']}")
        if receipt := made.get("receipt"):
            self.stdout.write(f"  Receipt    {receipt}")
            self.stdout.write(f"  PDF        {receipt}.pdf")
            self.stdout.write(
                f'  Pack       curl -OJH "Authorization: Bearer {made["api_key"]}" {made["pack"]}'
            )
