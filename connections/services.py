"""Connecting a provider account: the key is tried first, then sealed, and never readable again."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import async_to_sync

from carbon_site.periods import Period
from carbon_site.problems import Conflict, NotFound, Problem
from carbon_site.secret_store import CannotOpen, secret_store
from carbon_site.transactions import transaction
from connections.models import ProviderConnection
from connections.providers import ProviderRefused, ProviderUnavailable
from connections.providers.registry import http_client, provider_for, refuse_wrong_kind
from connections.signals import connection_made
from projects.entitlements import lock_organization, require
from projects.models import Project

Status = ProviderConnection.Status
PATIENCE = 10  # seconds in all that a provider may take to try a key, while somebody waits
DEGRADED_AFTER = 3  # failed readings in a row


class ConnectionKeyRefused(Problem):
    """The provider does not accept this key for reading usage."""


class Archived(Conflict):
    """The connection is archived."""


class AlreadyConnected(Conflict):
    """This provider account is connected already."""


@dataclass(frozen=True)
class Finding:
    """What trying a key showed: every name of its account, the best first. None: the provider was away, as `detail` says."""

    names: list[str] | None
    detail: str = ""


def try_key(*, provider: str, secret: str, now: datetime) -> Finding:
    """Ask the provider whether the key reads usage. Raises ConnectionKeyRefused. Never called inside a transaction."""
    try:
        refuse_wrong_kind(provider, secret)
        return Finding(async_to_sync(_validate)(provider, secret, now))
    except ProviderRefused as refused:
        raise ConnectionKeyRefused(str(refused), reason=refused.status) from refused
    except (ProviderUnavailable, TimeoutError) as away:
        return Finding(None, f"The provider cannot be reached: {away or 'it takes too long'}.")


async def _validate(provider: str, secret: str, now: datetime) -> list[str]:
    async with asyncio.timeout(PATIENCE), http_client() as http:
        return await provider_for(provider, http, secret=secret).validate(now)


def connect(
    *, organization_id: str, connection_id: str, provider: str, api_key: str, now: datetime, **columns: Any
) -> ProviderConnection:
    """Try a key, and keep it sealed. Asked again with the same id, it answers with the connection that is there.

    Raises ConnectionKeyRefused, AlreadyConnected, PlanLimit.
    """
    connections = ProviderConnection.objects.for_organization(organization_id)
    if existing := connections.filter(pk=connection_id).first():
        return existing
    finding = try_key(provider=provider, secret=api_key, now=now)
    return _keep(organization_id, connection_id, provider, api_key, finding, now, columns)


@transaction
def _keep(
    organization_id: str,
    connection_id: str,
    provider: str,
    api_key: str,
    finding: Finding,
    now: datetime,
    columns: dict[str, Any],
) -> ProviderConnection:
    lock_organization(organization_id)
    connections = ProviderConnection.objects.for_organization(organization_id)
    if existing := connections.filter(pk=connection_id).first():
        return existing
    account = _account(connections.filter(provider=provider), connection_id, finding)
    require(organization_id, "connections", used=connections.active().count(), now=now)
    connection = ProviderConnection.unscoped.create(
        pk=connection_id,
        organization_id=organization_id,
        project_id=_project(organization_id, columns.pop("project_id", None)),
        provider=provider,
        account=account,
        names=finding.names or [],
        secret=secret_store().seal(api_key),
        key_hint=api_key[-4:],
        status=Status.PENDING if account is None else Status.ACTIVE,
        status_detail=finding.detail,
        **{"read_from": Period.containing(now).before().before().start} | columns,
    )
    connection_made.announce(connection)
    return connection


def _account(others: Any, connection_id: str, finding: Finding) -> str | None:
    """Under which name the account's usage is told apart: the one that it had here before, if it was ever connected.

    Every bucket's identity holds it, so an account under two names would count twice. Raises AlreadyConnected, and
    ConnectionKeyRefused where the key names no account and so cannot be told from the ones that are known.
    """
    if finding.names is None:
        return None
    known = list(others.exclude(account=None).exclude(pk=connection_id))
    same = [other for other in known if {other.account, *other.names} & set(finding.names)]
    if active := next((other for other in same if other.archived_at is None), None):
        raise AlreadyConnected(f"It is “{active.name}”, {active.pk}.", object=active.pk)
    if known and not finding.names:
        raise ConnectionKeyRefused(
            "The key names no account, so it cannot be told from those that are known here; "
            "let it read projects too (Management: read).",
            reason=Status.INSUFFICIENT_SCOPE,
        )
    return next((other.account for other in same), None) or next(iter(finding.names), connection_id)


def _project(organization_id: str, project_id: str | None) -> str:
    projects = Project.objects.for_organization(organization_id).active()
    project = projects.filter(**({"pk": project_id} if project_id else {"is_default": True})).first()
    if project is None:
        raise NotFound(f"There is no {project_id}.")
    return project.pk


@transaction
def update_connection(*, organization_id: str, connection_id: str, **changes: Any) -> ProviderConnection:
    """Rename a connection, pause it, or let new usage go to another project."""
    lock_organization(organization_id)
    connection = _get(organization_id, connection_id)
    if connection.archived_at is not None:
        raise Archived(f"{connection_id} is archived.")
    if "project_id" in changes:
        _project(organization_id, changes["project_id"])
    return _write(connection, **changes)


@transaction
def archive_connection(*, organization_id: str, connection_id: str, now: datetime) -> None:
    """Read no more, and forget the key. What was read stays. Twice is harmless."""
    lock_organization(organization_id)
    connection = _get(organization_id, connection_id)
    if connection.archived_at is None:
        _write(connection, archived_at=now, secret="", is_paused=True)


def prove(*, organization_id: str, connection_id: str, now: datetime) -> ProviderConnection:
    """Try the key of a connection again, and keep what it showed in its status. An archived one has no key: raises Archived."""
    connection = _get(organization_id, connection_id)
    if connection.archived_at is not None:
        raise Archived(f"{connection_id} is archived; connect the account anew.")
    try:
        finding = try_key(
            provider=connection.provider, secret=secret_store().open(connection.secret), now=now
        )
    except ConnectionKeyRefused as refused:
        return _note_status(organization_id, connection_id, refused.extensions["reason"], refused.detail)
    except CannotOpen:
        detail = "The sealed key cannot be opened any more; connect the account anew."
        return _note_status(organization_id, connection_id, Status.INVALID_CREDENTIALS, detail)
    return _settle(organization_id, connection_id, finding)


@transaction
def _settle(organization_id: str, connection_id: str, finding: Finding) -> ProviderConnection:
    lock_organization(organization_id)
    connection = _get(organization_id, connection_id)
    if finding.names is None:
        return _write(connection, status_detail=finding.detail)
    if connection.account is None:
        return _settle_pending(connection, finding)
    own = {connection.account, *connection.names}
    if finding.names and not own & set(finding.names):
        return _write(
            connection, status=Status.WRONG_KEY_TYPE, status_detail="The key is of another account now."
        )
    names = sorted(own | set(finding.names))
    return _write(connection, names=names, status=Status.ACTIVE, status_detail="")


def _settle_pending(connection: ProviderConnection, finding: Finding) -> ProviderConnection:
    """The first proof of a connection whose provider was away when it was made."""
    others = ProviderConnection.objects.for_organization(connection.organization_id).filter(
        provider=connection.provider
    )
    try:
        account = _account(others, connection.pk, finding)
    except (AlreadyConnected, ConnectionKeyRefused) as problem:
        return _write(connection, status=Status.WRONG_KEY_TYPE, status_detail=problem.detail)
    return _write(connection, account=account, names=finding.names, status=Status.ACTIVE, status_detail="")


@transaction
def _note_status(organization_id: str, connection_id: str, status: str, detail: str) -> ProviderConnection:
    lock_organization(organization_id)
    return _write(_get(organization_id, connection_id), status=status, status_detail=detail)


@transaction
def report_reading(
    *,
    organization_id: str,
    connection_id: str,
    now: datetime,
    refused: ProviderRefused | None = None,
    unavailable: ProviderUnavailable | None = None,
) -> None:
    """Keep how a reading went. Called by telemetry at its end, whatever that was."""
    lock_organization(organization_id)
    connection = _get(organization_id, connection_id)
    changes: dict[str, Any] = {"last_polled_at": now, "throttled_until": None}
    if refused is not None:
        changes |= {"status": refused.status, "status_detail": str(refused)}
    elif unavailable is not None:
        failures = connection.consecutive_failures + 1
        changes |= {
            "consecutive_failures": failures,
            "status_detail": f"The provider cannot be read: {unavailable}.",
        }
        if failures >= DEGRADED_AFTER:
            changes["status"] = Status.DEGRADED
        if unavailable.retry_after:
            changes["throttled_until"] = now + timedelta(seconds=unavailable.retry_after)
    else:
        changes |= {
            "last_success_at": now,
            "consecutive_failures": 0,
            "status": Status.ACTIVE,
            "status_detail": "",
        }
    _write(connection, **changes)


def _get(organization_id: str, connection_id: str) -> ProviderConnection:
    found = ProviderConnection.objects.for_organization(organization_id).filter(pk=connection_id).first()
    if found is None:
        raise NotFound(f"There is no {connection_id}.")
    return found


def _write(connection: ProviderConnection, **changes: Any) -> ProviderConnection:
    for name, value in changes.items():
        setattr(connection, name, value)
    connection.save(update_fields=list(changes))
    return connection
