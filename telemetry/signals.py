"""What telemetry tells its neighbours to the right."""

from django.dispatch import Signal

# Sent inside the transaction that changes a ledger: an error in a receiver takes the change back, so ledger and figures
# never disagree. Arguments: organization_id, connection_id or None, observed_at, span (start, end), and table, the name of
# a temporary table in which a row is every column of an event as it now stands, and `replaces`, the id of the old one.
ledger_changed = Signal()
