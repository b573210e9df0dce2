"""Staff's way to load retired credits: `manage.py load_batch FILE` shows what would be loaded, `--load` loads it."""

import csv
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from carbon_site.problems import Problem
from receipts.credits import Retired, batch_of, known_before, load_batches

WHOLE = ("vintage", "serial_from", "serial_to")


class Command(BaseCommand):
    help = "Load credits that a registry has retired, from a CSV file. Without --load it only shows what would happen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--load", action="store_true", help="load, after the dry run was read")
        parser.add_argument(
            "--demonstration", action="store_true", help="no registry knows them; documents will say so"
        )

    def handle(self, *, file: Path, load: bool, demonstration: bool, **_: Any) -> None:
        batches = read(file)
        for retired in batches:
            self.stdout.write(self.describe(retired))
        if not load:
            self.stdout.write("Nothing was loaded; --load does it.")
            return
        try:
            loaded = load_batches(batches, is_demonstration=demonstration)
        except Problem as problem:
            raise CommandError(f"{problem.title()}: {problem.detail}") from problem
        self.stdout.write(f"{len(loaded)} batches were loaded.")

    def describe(self, retired: Retired) -> str:
        others = known_before(retired)
        words = f"  OVERLAPS {', '.join(str(other.pk) for other in others)}" if others else ""
        return f"{retired.registry} {retired.project} {retired.vintage}: {retired.tonnes} t{words}"


def read(file: Path) -> list[Retired]:
    """The batches in a file. Raises CommandError, which names the line."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return [_batch(number, row) for number, row in enumerate(csv.DictReader(lines), start=2)]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}.") from error


def _batch(number: int, row: dict[str, Any]) -> Retired:
    try:
        whole = {name: int(row[name]) for name in WHOLE}
        retired = Retired(**row | whole | {"retired_on": date.fromisoformat(row["retired_on"])})
        batch_of(retired)
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(f"line {number}: {error}.") from error
    except Problem as problem:
        raise CommandError(f"line {number}: {problem.detail}") from problem
    return retired
