"""Listeners to the ledger, inside its transaction, and to the making of the database."""

from datetime import datetime
from typing import Any

from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.utils import timezone

from emissions.calculate import calculate
from emissions.factor_document import PACKAGED
from emissions.publish import publish
from telemetry.signals import ledger_changed


@receiver(ledger_changed)
def calculate_changes(
    organization_id: str, observed_at: datetime, span: tuple[datetime, datetime], **_: Any
) -> None:
    """Ledger and figures never disagree: an error here takes the page back."""
    calculate(organization_id=organization_id, observed_at=observed_at, span=span)


@receiver(post_migrate)
def publish_packaged_set(app_config: Any, using: str, **_: Any) -> None:
    """A migrated database has the factors that come with the program."""
    if app_config.name == "emissions":
        publish(PACKAGED.read_bytes(), now=timezone.now(), using=using)
