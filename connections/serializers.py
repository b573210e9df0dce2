"""Shapes of connections on the wire. A key goes in and never comes out."""

from rest_framework import serializers

from carbon_site.serializers import IdField, TextField
from connections.models import ProviderConnection
from connections.providers.registry import PROVIDERS


class ConnectionSerializer(serializers.ModelSerializer):
    id = IdField("con", read_only=True)
    project = IdField(
        "prj",
        source="project_id",
        required=False,
        help_text="Where usage goes; the default project if not said.",
    )
    provider = serializers.ChoiceField(list(PROVIDERS))
    name = TextField(max_length=120)
    api_key = serializers.CharField(
        write_only=True,
        max_length=500,
        trim_whitespace=True,
        help_text="Tried, then sealed, and never shown again.",
    )
    paused = serializers.BooleanField(source="is_paused", required=False)
    status = serializers.SerializerMethodField()

    class Meta:
        model = ProviderConnection
        fields = [
            "id", "provider", "name", "project", "api_key", "paused", "status", "status_detail", "throttled_until",
            "key_hint", "account", "read_from", "consecutive_failures", "last_polled_at", "last_success_at",
            "created_at", "archived_at",
        ]  # fmt: skip
        read_only_fields = [
            "status_detail", "throttled_until", "key_hint", "account", "read_from", "consecutive_failures",
            "last_polled_at", "last_success_at", "created_at", "archived_at",
        ]  # fmt: skip

    def get_status(self, connection: ProviderConnection) -> str:
        """`paused` hides what the status was before."""
        return "paused" if connection.is_paused else connection.status


class ConnectionChangeSerializer(ConnectionSerializer):
    """Neither the provider nor the key changes here."""

    provider = serializers.CharField(read_only=True)  # type: ignore[assignment]
    api_key = None  # type: ignore[assignment]

    class Meta(ConnectionSerializer.Meta):
        fields = [name for name in ConnectionSerializer.Meta.fields if name != "api_key"]
