"""Receipts over REST."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from carbon_site.api import OrganizationViewSet
from receipts import log
from receipts.document import bundle
from receipts.models import CarbonReceipt
from receipts.public import pdf_response
from receipts.serializers import ReceiptSerializer


class PdfRenderer(JSONRenderer):
    """Lets a client accept nothing but a PDF. What goes wrong is told as JSON all the same."""

    media_type, format = "application/pdf", "pdf"


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

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, PdfRenderer])
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        """Its page, with the signed receipt and what proves it attached. 404 until it is rendered."""
        return pdf_response(self.get_object())
