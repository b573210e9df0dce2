"""Closing a month of the ledger, for billing."""

from datetime import date, datetime

from carbon_site.transactions import transaction_required
from telemetry.ledger import open_ledger
from telemetry.models import SealedMonth


@transaction_required
def seal_month(*, organization_id: str, month: date, now: datetime | None = None) -> datetime:
    """Close a month, in the caller's transaction: its frozen list is the ledger as of the instant answered.

    A month that is sealed stays as it was. `now` is given only by `job --now`.
    """
    observed_at = open_ledger(organization_id, now)
    sealed = SealedMonth.objects.for_organization(organization_id).filter(month=month).first()
    if sealed is None:
        sealed = SealedMonth.objects.for_organization(organization_id).create(
            organization_id=organization_id, month=month, observed_at=observed_at
        )
    return sealed.observed_at
