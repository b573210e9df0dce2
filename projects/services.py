"""The events of projects, workloads and what a plan allows."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model

from carbon_site.problems import Conflict, NotFound
from carbon_site.transactions import transaction
from projects.entitlements import FREE, Grant, lock_organization, require
from projects.models import Entitlement, Project, Workload
from projects.organizations import add_project

MOST_WORKLOADS = 100  # each page of usage asks their rules in turn
Row = TypeVar("Row", bound=Model)


class NameTaken(Conflict):
    """The name is taken."""


class TooManyWorkloads(Conflict):
    """A project has a limited number of workloads."""


class InUse(Conflict):
    """It is still needed."""


@transaction
def create_project(*, organization_id: str, project_id: str, name: str, now: datetime) -> Project:
    """A project with its catch-all workload. Asked again with the same id, it answers with the project that is there.

    Raises PlanLimit, NameTaken.
    """
    lock_organization(organization_id)
    projects = Project.objects.for_organization(organization_id)
    if existing := projects.filter(pk=project_id).first():
        return existing
    require(organization_id, "projects", used=projects.active().count(), now=now)
    _refuse_taken(projects.active().filter(name=name), name)
    return add_project(organization_id, project_id, name=name)


@transaction
def rename_project(*, organization_id: str, project_id: str, name: str) -> Project:
    lock_organization(organization_id)
    projects = Project.objects.for_organization(organization_id).active()
    project: Project = _get(projects, project_id)
    _refuse_taken(projects.filter(name=name).exclude(pk=project_id), name)
    return _apply(project, {"name": name})


@transaction
def archive_project(*, organization_id: str, project_id: str, now: datetime) -> None:
    """Take a project out of use; its figures stay. Twice is harmless. The default project cannot go: raises InUse."""
    lock_organization(organization_id)
    project = _get(Project.objects.for_organization(organization_id), project_id)
    if project.is_default:
        raise InUse(
            "The default project takes what no other project claims; rename it instead.", object=project.pk
        )
    if project.archived_at is None:
        _apply(project, {"archived_at": now})


@transaction
def create_workload(
    *, organization_id: str, workload_id: str, project_id: str, name: str, **columns: Any
) -> Workload:
    """A workload of a project. Asked again with the same id, it answers with the one that is there. Raises NameTaken."""
    lock_organization(organization_id)
    workloads = Workload.objects.for_organization(organization_id)
    if existing := workloads.filter(pk=workload_id).first():
        return existing
    project: Project = _get(Project.objects.for_organization(organization_id).active(), project_id)
    siblings = workloads.active().filter(project=project)
    _refuse_taken(siblings.filter(name=name), name)
    if siblings.count() >= MOST_WORKLOADS:
        raise TooManyWorkloads(f"{project.pk} has {MOST_WORKLOADS}; archive one that is not used.")
    return workloads.create(
        pk=workload_id, organization_id=organization_id, project=project, name=name, **columns
    )


@transaction
def update_workload(*, organization_id: str, workload_id: str, **changes: Any) -> Workload:
    """Rename a workload, or change its rules or its turn. The catch-all has no rules: raises InUse."""
    lock_organization(organization_id)
    workloads = Workload.objects.for_organization(organization_id).active()
    workload: Workload = _get(workloads, workload_id)
    if workload.is_catch_all and changes.keys() - {"name"}:
        raise InUse(
            "The catch-all takes what no rule claims; it has no rules and comes last.", object=workload.pk
        )
    if name := changes.get("name"):
        _refuse_taken(
            workloads.filter(project_id=workload.project_id, name=name).exclude(pk=workload_id), name
        )
    return _apply(workload, changes)


@transaction
def archive_workload(*, organization_id: str, workload_id: str, now: datetime) -> None:
    """Take a workload out of use; its figures stay. Twice is harmless. The catch-all cannot go: raises InUse."""
    lock_organization(organization_id)
    workload = _get(Workload.objects.for_organization(organization_id), workload_id)
    if workload.is_catch_all:
        raise InUse("Each project keeps its catch-all workload.", object=workload.pk)
    if workload.archived_at is None:
        _apply(workload, {"archived_at": now})


@transaction
def set_entitlements(organization_id: str, *, plan: str, grants: Iterable[Grant]) -> None:
    """Let a plan hold: exactly these entitlements, and for all else the free plan's. Called by billing alone."""
    lock_organization(organization_id)
    grants = list(grants)
    if unknown := {grant.name for grant in grants} - FREE.keys():
        raise ValueError(f"no such entitlement: {sorted(unknown)}")
    entitlements = Entitlement.objects.for_organization(organization_id)
    entitlements.exclude(name__in=[grant.name for grant in grants]).delete()
    for grant in grants:
        entitlements.update_or_create(
            organization_id=organization_id,
            name=grant.name,
            defaults={"limit": grant.limit, "until": grant.until, "plan": plan, "next_plan": grant.next_plan},
        )


def _get(rows: Any, row_id: str) -> Any:
    row = rows.filter(pk=row_id).first()
    if row is None:
        raise NotFound(f"There is no {row_id}.")
    return row


def _refuse_taken(others: Any, name: str) -> None:
    if other := others.first():
        raise NameTaken(f"“{name}” is the name of {other.pk}.", object=other.pk)


def _apply(row: Row, changes: dict[str, Any]) -> Row:
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))
    return row
