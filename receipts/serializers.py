"""Shapes of receipts on the wire."""

from django.conf import settings
from rest_framework import serializers

from carbon_site.serializers import IdField
from receipts.models import CarbonReceipt


class ReceiptSerializer(serializers.ModelSerializer):
    """A signed receipt, and the public addresses that prove it. Whoever has them may see it."""

    id = IdField("rcp", read_only=True)
    period = IdField("per", source="period_id", read_only=True)
    month = serializers.DateField(source="period.month", read_only=True)
    verify_url = serializers.SerializerMethodField()

    class Meta:
        model = CarbonReceipt
        fields = ["id", "period", "month", "number", "sha256", "pdf_sha256", "issued_at", "verify_url"]
        read_only_fields = fields

    def get_verify_url(self, receipt: CarbonReceipt) -> str:
        """The page that verifies it; behind it `.json` and `.jws` are the signed document, `.pdf` its page to file."""
        return f"{settings.PUBLIC_BASE_URL}/verify/{receipt.token}"
