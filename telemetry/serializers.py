"""Shapes of the ledger on the wire."""

from rest_framework import serializers

from carbon_site.serializers import IdField, InstantField, RangeSerializer, TextField
from telemetry.models import PollRun, TelemetryEvent


class EventSerializer(serializers.ModelSerializer):
    """One revision of one bucket of usage. Null: the provider does not say."""

    id = IdField("evt", read_only=True)
    connection = IdField("con", source="connection_id", read_only=True)
    project = IdField("prj", source="project_id", read_only=True)
    workload = IdField("wkl", source="workload_id", read_only=True)
    identity = serializers.SerializerMethodField()

    class Meta:
        model = TelemetryEvent
        fields = [
            "id", "connection", "project", "workload", "provider", "source", "family", "starts_at", "width", "model",
            "service_tier", "provider_project", "api_key", "region", "input_uncached", "cache_read", "cache_write",
            "cache_write_long", "output", "reasoning", "requests", "quantity", "unit", "identity", "revision",
            "observed_at", "superseded_at", "is_summed",
        ]  # fmt: skip
        read_only_fields = fields

    def get_identity(self, event: TelemetryEvent) -> str:
        """SHA-256, in hexadecimal: the name of the bucket."""
        return bytes(event.identity).hex()


class EventFilterSerializer(RangeSerializer):
    """Which part of the ledger, and as it stood when."""

    connection = IdField("con", source="connection_id", required=False)
    project = IdField("prj", source="project_id", required=False)
    workload = IdField("wkl", source="workload_id", required=False)
    provider = TextField(max_length=20, required=False)
    model = TextField(max_length=300, required=False)
    as_of = InstantField(required=False, help_text="The ledger as it stood then; now if not said.")
    include_superseded = serializers.BooleanField(default=False, help_text="Every revision there ever was.")


class PollRunSerializer(serializers.ModelSerializer):
    class Meta:
        model = PollRun
        fields = [
            "family",
            "span_start",
            "span_end",
            "started_at",
            "finished_at",
            "pages",
            "rows",
            "changes",
            "error",
        ]
        read_only_fields = fields
