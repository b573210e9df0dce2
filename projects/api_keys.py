"""API keys: made by people, shown once, found by their hash."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from carbon_site.problems import NotFound
from carbon_site.transactions import transaction
from projects.entitlements import lock_organization, require
from projects.models import ApiKey, Role

PREFIX = "cfk_"


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. `secret` is the key itself, or None where it was made by an earlier try and is gone."""

    row: ApiKey
    secret: str | None


@transaction
def create_api_key(
    *,
    organization_id: str,
    key_id: str,
    name: str,
    made_by: str,
    now: datetime,
    role: str = Role.MEMBER,
    scope: str = ApiKey.Scope.READ,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key of 256 random bits. Asked again with the same id, it answers with the row, and no secret.

    Raises PlanLimit.
    """
    lock_organization(organization_id)
    keys = ApiKey.objects.for_organization(organization_id)
    if existing := keys.filter(pk=key_id).first():
        return NewKey(existing, None)
    require(organization_id, "api_keys", used=keys.usable(now).count(), now=now)
    secret = PREFIX + secrets.token_urlsafe(32)
    row = keys.create(
        pk=key_id,
        organization_id=organization_id,
        name=name,
        digest=ApiKey.digest_of(secret),
        hint=secret[-4:],
        role=role,
        scope=scope,
        made_by=made_by,
        expires_at=expires_at,
    )
    return NewKey(row, secret)


@transaction
def revoke_api_key(*, organization_id: str, key_id: str, now: datetime) -> None:
    """Let a key open nothing from now on. Twice is harmless."""
    keys = ApiKey.objects.for_organization(organization_id).filter(pk=key_id)
    if not keys.filter(revoked_at=None).update(revoked_at=now) and not keys.exists():
        raise NotFound(f"There is no {key_id}.")
