"""Listeners to what happens on the left; each queues one task."""

from typing import Any

from django.dispatch import receiver

from billing.signals import period_frozen
from receipts.tasks import settle_period


@receiver(period_frozen)
def settle_soon(organization_id: str, pk: str, **_: Any) -> None:
    settle_period.apply_async((organization_id, pk), task_id=f"settle:{pk}")
