"""Organisations: made by an operator or at the first sight of their people, never without a default project."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.utils.text import slugify

from carbon_site.ids import new_id
from carbon_site.problems import Conflict
from carbon_site.transactions import transaction, transaction_required
from projects import tenancy
from projects.entitlements import lock_organization
from projects.models import LAST, Membership, Organization, Project, Workload

SEEN_TO_THE = timedelta(minutes=1)


class SlugTaken(Conflict):
    """The slug is another organisation's."""


@transaction
def create_organization(*, slug: str, name: str) -> Organization:
    """An organisation with its default project and catch-all workload. The same slug again: the one that is there.

    Raises SlugTaken where it is one that its own people have brought here.
    """
    made = _add_organization({"slug": slug}, name=name)
    if made.directory_id is not None:
        raise SlugTaken(f"“{slug}” is an organisation of the identity provider's; take another word.")
    return made


def organization_of_directory(*, directory_id: str, slug: str) -> Organization:
    """The organisation that the identity provider knows by this id, made when it is first seen."""
    known = Organization.objects.filter(directory_id=directory_id).first()
    return known or _organization_at_first_sight(directory_id, slugify(slug)[:40] or "organization")


def note_member(*, organization_id: str, user: str, role: str, now: datetime) -> None:
    """Keep who was seen in an organisation, in which role, to the minute."""
    members = Membership.objects.for_organization(organization_id)
    if members.filter(user=user, role=role, seen_at__gt=now - SEEN_TO_THE).exists():
        return
    members.update_or_create(
        organization_id=organization_id, user=user, defaults={"role": role, "seen_at": now}
    )


@transaction
def _organization_at_first_sight(directory_id: str, slug: str) -> Organization:
    if Organization.objects.filter(slug=slug).exists():
        slug = f"{slug}-{hashlib.sha256(directory_id.encode()).hexdigest()[:8]}"
    return _add_organization({"directory_id": directory_id}, slug=slug, name=slug)


@transaction_required
def _add_organization(key: dict[str, str], **columns: str) -> Organization:
    organization, is_new = Organization.objects.get_or_create(**key, defaults=columns)
    if is_new:
        with tenancy.organization(organization.pk):
            add_project(organization.pk, new_id("prj"), name="Default", is_default=True)
    return organization


@transaction
def update_organization(*, organization_id: str, **changes: Any) -> Organization:
    """Change how an organisation is named and reports."""
    organization = lock_organization(organization_id)
    for name, value in changes.items():
        setattr(organization, name, value)
    organization.save(update_fields=list(changes))
    return organization


@transaction_required
def add_project(organization_id: str, project_id: str, **columns: Any) -> Project:
    project = Project.unscoped.create(pk=project_id, organization_id=organization_id, **columns)
    Workload.unscoped.create(
        organization_id=organization_id,
        project=project,
        name="Everything else",
        priority=LAST,
        is_catch_all=True,
    )
    return project
