"""How much of the time was read: hours observed against hours there are."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from carbon_site.ids import decode

HOUR = timedelta(hours=1)
OBSERVED = """
SELECT connection.id, greatest(connection.read_from, %(start)s) AS expected_from,
       least(coalesce(date_trunc('hour', connection.archived_at, 'UTC'), %(end)s), %(end)s) AS expected_to,
       coalesce(sum(extract(epoch FROM upper(span) - lower(span))), 0)::bigint / 3600 AS observed
FROM connections_providerconnection AS connection
LEFT JOIN LATERAL (
    SELECT unnest(range_agg(tstzrange(run.span_start, run.span_end))
                  * tstzmultirange(tstzrange(greatest(connection.read_from, %(start)s), %(end)s))) AS span
    FROM telemetry_pollrun AS run
    WHERE run.organization_id = %(organization)s AND run.connection_id = connection.id
      AND run.family = %(family)s AND run.finished_at IS NOT NULL
      AND run.span_start < %(end)s AND run.span_end > %(start)s
) AS spans ON true
WHERE connection.organization_id = %(organization)s AND connection.read_from < %(end)s
GROUP BY connection.id
"""
MAIN = "completions"  # the family that every connection has; an hour is observed when it was read to its end


@dataclass(frozen=True)
class Coverage:
    """Hours of all connections together."""

    expected: int
    observed: int

    @property
    def missing(self) -> int:
        return self.expected - self.observed


def coverage(organization_id: str, start: datetime, end: datetime, now: datetime) -> Coverage:
    """Of a span, up to the last full hour."""
    last = min(end, now).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if last <= start:
        return Coverage(0, 0)
    parameters: dict[str, Any] = {
        "organization": decode(organization_id),
        "start": start,
        "end": last,
        "family": MAIN,
    }
    with connection.cursor() as cursor:
        cursor.execute(OBSERVED, parameters)
        rows = cursor.fetchall()
    expected = sum(max(0, (to - since) // HOUR) for _, since, to, _ in rows)
    return Coverage(expected, sum(observed for *_, observed in rows))
