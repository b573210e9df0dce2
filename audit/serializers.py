"""Shapes of packs on the wire."""

from rest_framework import serializers

from audit.models import AuditPack
from carbon_site.serializers import IdField


class PackSerializer(serializers.ModelSerializer):
    """The zip of a closed month: `building` until its file can be downloaded, then `ready`, for ever."""

    id = IdField("aud", read_only=True)
    period = IdField("per", source="period_id")
    month = serializers.DateField(source="period.month", read_only=True)
    state = serializers.SerializerMethodField()
    bytes = serializers.IntegerField(source="size", read_only=True, allow_null=True)

    class Meta:
        model = AuditPack
        fields = ["id", "period", "month", "state", "sha256", "bytes", "ordered_at", "built_at"]
        read_only_fields = ["sha256", "ordered_at", "built_at"]

    def get_state(self, pack: AuditPack) -> str:
        return "ready" if pack.is_ready else "building"
