"""Make the demonstration, or show it again: what `up --demo` calls."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from carbon_site import demo


class Command(BaseCommand):
    help = "An organisation with a key, usage from the sandbox, and a member of staff. Safe to repeat; in local alone."

    def handle(self, **_: Any) -> None:
        if not settings.LOCAL:
            raise CommandError("The demonstration is for a developer's own machine (CARBON_ENV=local).")
        for step in demo.make(timezone.now()):
            self.stdout.write(f"  demo: {step} …")
        made = demo.kept()
        self.stdout.write(f"  API key    {made['api_key']}")
        self.stdout.write(f"  Staff      {demo.STAFF} / {made['staff_password']}")
