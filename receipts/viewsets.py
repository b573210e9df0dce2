"""Receipts over REST."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request

from carbon_site.api import OrganizationViewSet
from receipts import log
from receipts.document import bundle
from receipts.models import CarbonReceipt
from receipts.serializers import ReceiptSerializer


class ReceiptViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet):
    """Signed receipts of closed periods."""

    model = CarbonReceipt
    serializer_class = ReceiptSerializer

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("period")

    @extend_schema(responses={200: {"type": "object", "additionalProperties": True}})
    @action(detail=True)
    def bundle(self, request: Request, pk: str) -> HttpResponse:
        """All that proves it in one file: the receipt, its place in the log, and what opens the customer's commitment."""
        receipt = self.get_object()
        text = bundle(
            receipt.signed, log.inclusion(receipt.leaf_index), bytes(receipt.salt), receipt.customer
        )
        return HttpResponse(text, content_type="application/json")
