"""Organisations and what is theirs, for support: read; a key can be revoked."""

from typing import Any

from django.contrib import admin
from django.utils import timezone

from carbon_site.admin import ReadOnlyAdmin
from projects import api_keys
from projects.models import ApiKey, Entitlement, Job, Membership, Organization, Project, Workload


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    list_display = ["id", "name", "slug", "timezone", "retire_basis", "created_at"]
    search_fields = ["name", "slug"]


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["user", "organization", "role", "seen_at"]
    list_filter = ["role"]
    list_select_related = ["organization"]
    search_fields = ["user"]


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    list_display = ["id", "name", "organization", "is_default", "created_at", "archived_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "organization__slug"]


@admin.register(Workload)
class WorkloadAdmin(ReadOnlyAdmin):
    list_display = ["id", "name", "project", "organization", "priority", "is_catch_all", "archived_at"]
    list_select_related = ["organization", "project"]
    search_fields = ["name", "organization__slug"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys by their last four characters; neither the key nor its hash is shown."""

    list_display = [
        "id",
        "name",
        "hint",
        "organization",
        "role",
        "scope",
        "last_used_at",
        "expires_at",
        "revoked_at",
    ]
    list_select_related = ["organization"]
    search_fields = ["name", "hint", "organization__slug"]
    exclude = ["digest"]
    actions = ["revoke"]

    @admin.action(description="Revoke the selected keys", permissions=["act"])
    def revoke(self, request: Any, keys: Any) -> None:
        def revoke(key: ApiKey) -> None:
            api_keys.revoke_api_key(organization_id=key.organization_id, key_id=key.pk, now=timezone.now())

        self.act(request, keys, revoke)


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnlyAdmin):
    list_display = ["organization", "name", "limit", "plan", "next_plan", "until"]
    list_filter = ["name", "plan"]
    list_select_related = ["organization"]


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "organization",
        "kind",
        "subject",
        "state",
        "done",
        "total",
        "error",
        "created_at",
        "finished_at",
    ]
    list_filter = ["kind", "state"]
    list_select_related = ["organization"]
