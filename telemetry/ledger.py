"""Who writes an organisation's ledger: one at a time, and each at a later time than the one before."""

from datetime import datetime

from django.db import connection

from carbon_site.ids import decode
from carbon_site.transactions import transaction_required

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(word)s, 0))"
OBSERVE = """
INSERT INTO telemetry_ledger (organization_id, observed_at)
VALUES (%(organization)s, coalesce(%(now)s, clock_timestamp()))
ON CONFLICT (organization_id)
DO UPDATE SET observed_at = greatest(telemetry_ledger.observed_at + interval '1 microsecond', excluded.observed_at)
RETURNING observed_at
"""


@transaction_required
def open_ledger(organization_id: str, now: datetime | None = None) -> datetime:
    """Be the only writer of this organisation's ledger until the commit; then, and not before, look at the clock.

    Answers with `observed_at`, always later than the last one: so the ledger as of a seal is the frozen list. A time taken
    before the lock would let a page slip past a freeze. `now` is given only by `job --now`.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK, {"word": organization_id})
        cursor.execute(OBSERVE, {"organization": decode(organization_id), "now": now})
        return cursor.fetchone()[0]
