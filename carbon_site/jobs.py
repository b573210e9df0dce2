"""Recurring work, done once and in the foreground: `manage.py job`, and the demonstration."""

from collections.abc import Iterable
from datetime import datetime

import structlog

from audit.tasks import PACKS
from billing.tasks import CLOSES
from carbon_site.sweeps import Row, Sweep
from projects import tenancy
from receipts.tasks import SETTLES
from telemetry.tasks import POLLS, SYNCS

# Each job's sweeps, one after the other.
JOBS: dict[str, tuple[Sweep, ...]] = {
    "poll": (POLLS, SYNCS),
    "reconcile": (),
    "close": (CLOSES, SETTLES),
    "audit": (PACKS,),
}
log = structlog.get_logger(__name__)


def run(sweeps: Iterable[Sweep], now: datetime, *, only: str | None = None) -> list[bool]:
    """Take every step that is due, of the organisation `only` if one is named, and tell of each whether it succeeded."""
    taken: list[bool] = []
    for sweep in sweeps:  # in their order: what one has done may be due for the next
        taken += [take(sweep, row, now) for row in sweep.rows(now) if only in (None, row[0])]
    return taken


def take(sweep: Sweep, row: Row, now: datetime) -> bool:
    """Take one step, seeing only its organisation's rows. A failure is logged, and does not keep the other rows waiting."""
    try:
        with tenancy.organization(row[0]):
            sweep.step(*row, now=now)
    except Exception:  # whatever it is, it is this row's
        log.exception("job.step_failed", step=sweep.verb, organization=row[0], row=row[1])
        return False
    return True
