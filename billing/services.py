"""Where a period may go from where, and who moves it: one at a time."""

from billing.models import BillingPeriod
from carbon_site.transactions import transaction_required

State = BillingPeriod.State
ARROWS = {  # from where a period may go where
    State.FROZEN: {State.AWAITING_PAYMENT, State.ALLOCATED, State.WAITING_SUPPLY, State.SETTLED},
    State.AWAITING_PAYMENT: {State.ALLOCATED, State.WAITING_SUPPLY},
    State.WAITING_SUPPLY: {State.ALLOCATED},
    State.ALLOCATED: {State.RECEIPTED},
}


@transaction_required
def lock_period(*, organization_id: str, period_id: str) -> BillingPeriod:
    """Be the only one, until the commit, who moves this period."""
    periods = BillingPeriod.objects.for_organization(organization_id).select_for_update(
        of=("self",), no_key=True
    )
    return periods.get(pk=period_id)


@transaction_required
def advance(period: BillingPeriod, *, to: str) -> None:
    """Move a locked period along one arrow. Where it is already, it stays. Raises ValueError where there is no arrow."""
    if period.state == to:
        return
    if to not in ARROWS.get(State(period.state), set()):
        raise ValueError(f"a period does not go from {period.state} to {to}")
    period.state = to
    period.save(update_fields=["state"])
