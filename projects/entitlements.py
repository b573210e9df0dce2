"""What an organisation's plan allows. Billing writes the rows (`services.set_entitlements`); everybody else asks here."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from carbon_site.problems import Problem
from carbon_site.transactions import transaction_required
from projects.models import Entitlement, Organization

DEMONSTRATION = "demonstration"  # the plan whose credits no registry knows


class Allowed(NamedTuple):
    """How much of one thing: `limit` None is as much as you like, `next_plan` the cheapest plan that allows more."""

    limit: int | None
    next_plan: str | None
    plan: str = "free"


FREE: dict[str, Allowed] = {
    "connections": Allowed(1, "starter"),
    "projects": Allowed(1, "starter"),
    "api_keys": Allowed(5, "starter"),
    "history_days": Allowed(30, "starter"),
    "audit_packs_a_year": Allowed(0, "starter"),
    "requests_a_minute": Allowed(30, "starter"),
}


@dataclass(frozen=True)
class Grant:
    """One entitlement to be set: see `Entitlement`."""

    name: str
    limit: int | None
    until: datetime | None = None
    next_plan: str | None = None


class PlanLimit(Problem):
    """Your plan does not allow more of this."""

    status = 402


def allowed(organization_id: str, name: str, *, now: datetime) -> Allowed:
    """What holds now: the organisation's own entitlement until it ends, else the free plan's."""
    own = Entitlement.objects.for_organization(organization_id).filter(name=name).first()
    if own is None or (own.until is not None and own.until <= now):
        return FREE[name]
    return Allowed(own.limit, own.next_plan, own.plan)


@transaction_required
def require(organization_id: str, name: str, *, used: int, now: datetime) -> None:
    """Refuse one more where `used` has reached the limit.

    The organisation is locked until the commit, so count what is used after this lock: `lock_organization` first.
    Raises PlanLimit.
    """
    lock_organization(organization_id)
    may = allowed(organization_id, name, now=now)
    if may.limit is not None and used >= may.limit:
        thing = name.replace("_", " ")
        raise PlanLimit(
            f"The {may.plan} plan allows {may.limit} {thing}; you have {used}.",
            plan=may.next_plan,
            limit=may.limit,
            upgrade_url=f"{settings.PUBLIC_BASE_URL}/billing?plan={may.next_plan or ''}",
        )


@transaction_required
def lock_organization(organization_id: str) -> Organization:
    """Be the only one, until the commit, who counts what this organisation uses."""
    return Organization.objects.select_for_update(of=("self",), no_key=True).get(pk=organization_id)
