"""Publish a set of factors from a file: `manage.py publish_factors factor_set_2026.12.json`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from carbon_site.problems import Problem
from emissions.publish import publish


class Command(BaseCommand):
    help = "Validate and publish a set of factors. A changed file under a used version is refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **_: Any) -> None:
        try:
            published = publish(file.read_bytes(), now=timezone.now())
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except Problem as problem:
            raise CommandError(f"{problem.title()}: {problem.detail}") from problem
        self.stdout.write(f"{published.version} {published.sha256}")
