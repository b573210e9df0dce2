"""Listeners to what happens on the left; each queues one task."""

from typing import Any

from django.dispatch import receiver

from connections.signals import connection_made
from telemetry.tasks import poll_connection


@receiver(connection_made)
def read_soon(organization_id: str, pk: str, **_: Any) -> None:
    """A new connection's first figures are there within seconds, not within the hour."""
    poll_connection.apply_async((organization_id, pk), task_id=f"poll:{pk}")
