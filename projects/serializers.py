"""Shapes of organisations, projects, workloads, keys and jobs on the wire."""

import re
from typing import Any
from zoneinfo import available_timezones

from django.utils import timezone
from rest_framework import serializers

from carbon_site.serializers import IdField, QuerySerializer, TextField, refuse_keys
from projects.models import ApiKey, Organization, Project, Role, Workload

LATEST = 1_000_000  # the turn of a workload with rules
GLOB = re.compile(r"^[\w.:/@+*?-]+$", re.ASCII)


class OrganizationSerializer(serializers.ModelSerializer):
    id = IdField("org", read_only=True)
    name = TextField(max_length=120)
    public_name = TextField(max_length=120, allow_blank=True)
    timezone = serializers.CharField(max_length=64, help_text="A name of the IANA time zone database.")

    class Meta:
        model = Organization
        fields = [
            "id", "slug", "name", "public_name", "timezone", "fiscal_year_start", "retire_basis", "quality_policy",
            "created_at",
        ]  # fmt: skip
        read_only_fields = ["slug", "quality_policy", "created_at"]
        extra_kwargs = {"fiscal_year_start": {"min_value": 1, "max_value": 12}}

    def validate_timezone(self, name: str) -> str:
        if name not in available_timezones():
            raise serializers.ValidationError("No such time zone.", code="unknown")
        return name


class MeSerializer(serializers.Serializer):
    """The credential that a request came with, and what it opens."""

    id = serializers.CharField(help_text="Of the key, or of the person.")
    kind = serializers.ChoiceField(["api_key", "session"])
    role = serializers.ChoiceField(Role.choices)
    may_write = serializers.BooleanField()
    requests_a_minute = serializers.IntegerField(allow_null=True)
    organization = OrganizationSerializer()


class ProjectSerializer(serializers.ModelSerializer):
    id = IdField("prj", read_only=True)
    name = TextField(max_length=120)

    class Meta:
        model = Project
        fields = ["id", "name", "is_default", "created_at", "archived_at"]
        read_only_fields = ["is_default", "created_at", "archived_at"]


class RuleSerializer(serializers.Serializer):
    """Usage that this rule claims: all that is said must match. At least one thing must be said."""

    provider = serializers.ChoiceField(["openai", "anthropic", "openrouter"], required=False)
    model = serializers.RegexField(
        GLOB,
        max_length=120,
        required=False,
        validators=[refuse_keys],
        help_text="A model's name; `*` is any letters, `?` any one letter.",
    )
    provider_project = TextField(
        max_length=300, required=False, help_text="The provider's own id of a project."
    )
    api_key = TextField(max_length=300, required=False, help_text="The provider's own id of an API key.")

    def validate(self, rule: dict[str, Any]) -> dict[str, Any]:
        if not rule:
            raise serializers.ValidationError("Say at least one thing that must match.", code="empty")
        return rule


class WorkloadSerializer(serializers.ModelSerializer):
    id = IdField("wkl", read_only=True)
    project = IdField("prj", source="project_id")
    name = TextField(max_length=120)
    rules = RuleSerializer(many=True, allow_empty=False, max_length=50)  # type: ignore[call-arg]  # of the list
    priority = serializers.IntegerField(
        min_value=0,
        default=100,
        help_text=f"At most {LATEST}; lower is asked first, and the catch-all comes last.",
    )

    class Meta:
        model = Workload
        fields = ["id", "project", "name", "rules", "priority", "is_catch_all", "created_at", "archived_at"]
        read_only_fields = ["is_catch_all", "created_at", "archived_at"]

    def validate_priority(self, turn: int) -> int:
        """Not `max_value`: the schema would deny the catch-all its own turn."""
        if turn > LATEST:
            raise serializers.ValidationError(f"At most {LATEST}.", code="max_value")
        return turn


class WorkloadChangeSerializer(WorkloadSerializer):
    """A workload stays in its project."""

    project = IdField("prj", source="project_id", read_only=True)


class WorkloadFilterSerializer(QuerySerializer):
    project = IdField("prj", source="project_id", required=False, help_text="Only of this project.")


class ApiKeySerializer(serializers.ModelSerializer):
    id = IdField("key", read_only=True)
    name = TextField(max_length=120)

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "hint", "role", "scope", "made_by", "created_at", "expires_at", "revoked_at", "last_used_at",
        ]  # fmt: skip
        read_only_fields = ["hint", "made_by", "created_at", "revoked_at", "last_used_at"]

    def validate_expires_at(self, when: Any) -> Any:
        if when is not None and when <= timezone.now():
            raise serializers.ValidationError("It must lie in the future.", code="past")
        return when


class NewApiKeySerializer(ApiKeySerializer):
    """The one answer that shows the key itself."""

    key = serializers.CharField(read_only=True, help_text="Shown now and never again.")

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]
