"""Who is asking, and what they may do. Named in REST_FRAMEWORK, so it imports neither views nor viewsets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from carbon_site import throttles
from carbon_site.ids import encode
from projects import entitlements, organizations
from projects.api_keys import PREFIX
from projects.clerk import Refused, read_session
from projects.models import ApiKey, Role
from projects.tenancy import enter_organization, every_organization

log = structlog.get_logger(__name__)
USED_TO_THE = timedelta(minutes=1)  # so that a busy key is not a write each request
# Each request begins with it, so it is one trip: the key, if it is `usable`; the limit, if a plan has `allowed` one; and whoever
# reads the row has entered its organisation.
KEY = """
SELECT key.id, key.organization_id, key.role, key.scope, key.last_used_at, plan.id IS NOT NULL, plan."limit",
       set_config('carbon.organization', key.organization_id::text, false)
FROM projects_apikey AS key
LEFT JOIN projects_entitlement AS plan
       ON plan.organization_id = key.organization_id AND plan.name = 'requests_a_minute'
      AND (plan.until IS NULL OR plan.until > %(now)s)
WHERE key.digest = %(digest)s AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > %(now)s)
"""
KEYS_WORTH = 3  # an organisation may ask as much as three of its keys, however many it has


@dataclass(frozen=True)
class Credential:
    """What a request came with: the organisation it speaks for, and what it may do there."""

    id: str  # of the key, or of the person
    kind: str  # "api_key" or "session"
    organization_id: str
    role: str
    may_write: bool
    requests_a_minute: int | None

    is_authenticated = True

    @property
    def buckets(self) -> dict[str, int | None]:
        """What its requests are counted under, with the limit of each in a minute."""
        limit = self.requests_a_minute
        return {self.id: limit, self.organization_id: None if limit is None else KEYS_WORTH * limit}


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`. A token that is not accepted is counted, whatever is wrong with it."""

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def authenticate(self, request: Request) -> tuple[Credential, Credential] | None:
        if not get_authorization_header(request):
            return None
        token = bearer_token(request)
        if not token:
            raise AuthenticationFailed("Send `Authorization: Bearer <token>`.")
        find = find_by_key if token.startswith(PREFIX) else find_by_session
        try:
            credential = find(token, timezone.now())
        except Refused as refused:
            log.info("credential.refused", reason=str(refused))
            if refused.is_a_guess:
                throttles.note_failed_credential(request)
            raise AuthenticationFailed("The token is unknown, revoked or expired.") from refused
        return credential, credential


def bearer_token(request: Request) -> str:
    """The token of `Authorization: Bearer <token>`; empty if the header has another form."""
    scheme, _, token = get_authorization_header(request).partition(b" ")
    return token.strip().decode() if scheme.lower() == b"bearer" and token.isascii() else ""


def find_by_key(key: str, now: datetime) -> Credential:
    """The credential behind an API key; from then on this connection sees its organisation's rows. Raises Refused."""
    with every_organization("credential look-up"), connection.cursor() as cursor:
        cursor.execute(KEY, {"digest": ApiKey.digest_of(key), "now": now})
        row = cursor.fetchone()
    if row is None:
        raise Refused("no usable key has this hash")
    key_id, organization_id = encode("key", row[0]), encode("org", row[1])
    role, scope, last_used_at, has_plan, limit, _ = row[2:]
    if last_used_at is None or last_used_at < now - USED_TO_THE:
        ApiKey.objects.for_organization(organization_id).filter(pk=key_id).update(last_used_at=now)
    return Credential(
        id=key_id,
        kind="api_key",
        organization_id=organization_id,
        role=role,
        may_write=scope == ApiKey.Scope.WRITE,
        requests_a_minute=limit if has_plan else entitlements.FREE["requests_a_minute"].limit,
    )


def find_by_session(token: str, now: datetime) -> Credential:
    """The credential behind a person's session; from then on this connection sees the organisation that they chose.

    An organisation is made at first sight. Raises Refused, IdentityProviderAway.
    """
    session = read_session(token)
    organization = organizations.organization_of_directory(
        directory_id=session.organization or session.user, slug=session.slug or session.user
    )
    enter_organization(organization.pk)
    role = session.role if session.role in (Role.ADMIN, Role.AUDITOR) else Role.MEMBER
    organizations.note_member(organization_id=organization.pk, user=session.user, role=role, now=now)
    return Credential(
        id=session.user,
        kind="session",
        organization_id=organization.pk,
        role=role,
        may_write=True,
        requests_a_minute=entitlements.allowed(organization.pk, "requests_a_minute", now=now).limit,
    )


class RolePermission(BasePermission):
    """A role and a scope for each verb: all may read, an admin may do everything, a viewset says what a member may."""

    def has_permission(self, request: Request, view: Any) -> bool:
        who: Any = request.auth
        if who is None:
            return False
        action = getattr(view, "action", None)
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return who.role != Role.AUDITOR or not view.hidden_from_auditors
        if who.kind == "api_key" and action in view.people_only:
            raise PermissionDenied("A key never makes keys: sign in, or ask an operator for one.")
        if not who.may_write:
            raise PermissionDenied("The key only reads.")
        return who.role == Role.ADMIN or (who.role == Role.MEMBER and action in view.member_actions)


class BearerScheme(OpenApiAuthenticationExtension):
    """How the schema names a credential."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key (`cfk_…`) or a session."}
