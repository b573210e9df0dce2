"""`make bench`: a table of ratios, each against a limit that was measured in the same run, and the same as bench.json.

It starts services of its own, with a database of its own. No exit status hangs on a time.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connections

from carbon_site.embedded import claim, services
from tests.bench.pairs import Comparison
from tests.engine import ADDRESSES, temporary_state

MEASUREMENTS = ["pages", "summary", "estimates", "close", "receipts"]
OWN = {  # of the services, and of the servers that they are measured through
    "DJANGO_SETTINGS_MODULE": "carbon_site.settings",
    "CARBON_ENV": "local",
    "LOG_FORMAT": "json",
    "ADDRESS_REQUESTS_PER_MINUTE": str(10**9),
}


def main() -> None:
    with surroundings():
        rows = [row for name in MEASUREMENTS for row in import_module(f"tests.bench.{name}").measure()]
    Path("bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    sys.stdout.writelines(f"{line}\n" for line in table(rows))


@contextmanager
def surroundings() -> Iterator[None]:
    """A migrated database and a Redis, and Django told of them."""
    with temporary_state() as state, claim(state), services(state) as running:
        os.environ |= OWN | {"CARBON_STATE_DIR": str(state)}
        os.environ |= {variable: running.addresses[name] for variable, name in ADDRESSES.items()}
        django.setup()
        call_command("migrate", verbosity=0)
        try:
            yield
        finally:
            for connection in connections.all():
                connection.close_pool()  # type: ignore[attr-defined]


def table(rows: list[Comparison]) -> Iterator[str]:
    yield f"{'':54}{'figure':>10}{'limit':>10}  {'unit':12}{'ratio':>7}  {'spread':14}{'target':>6}"
    for row in rows:
        low, high = (f"{end:.2f}" for end in row.spread)
        yield (
            f"{row.name:54}{row.figure:>10,.0f}{row.limit:>10,.0f}  {row.unit:12}"
            f"{row.ratio:>7.2f}  {f'{low} to {high}':14}{row.target:>6}"
        )


if __name__ == "__main__":
    main()
