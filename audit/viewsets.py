"""Packs over REST."""

from typing import Any

from django.core.files.storage import default_storage
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import AuditPack
from audit.packs import PackNotReady, order
from audit.serializers import PackSerializer
from audit.tasks import build_pack
from carbon_site.api import OrganizationViewSet, valid
from projects.idempotency import creates, idempotent


class PackViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet):
    """Zips of closed months, from which a stranger recomputes every figure."""

    model = AuditPack
    serializer_class = PackSerializer

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("period")

    @creates
    @extend_schema(responses={201: PackSerializer, 200: PackSerializer})
    @idempotent("aud")
    def create(self, request: Request, new_id: str) -> Response:
        """Order the pack of a closed period. It is built in the background; ordered again, it is the same one (200)."""
        said = valid(self.get_serializer(data=request.data))
        pack, is_new = order(
            organization_id=self.organization_id, period_id=said["period_id"], pack_id=new_id
        )
        if not pack.is_ready:
            build_pack.apply_async((self.organization_id, pack.period_id), task_id=f"pack:{pack.period_id}")
        return Response(self.get_serializer(pack).data, status=201 if is_new else 200)

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True)
    def download(self, request: Request, pk: str) -> FileResponse:
        """The zip. Its README.txt says how to check it, with Python and without us."""
        pack = self.get_object()
        if not pack.is_ready:
            raise PackNotReady("Ask again in a minute.")
        response = FileResponse(
            default_storage.open(pack.path),
            as_attachment=True,
            filename=pack.file_name,
            content_type="application/zip",
        )
        response["ETag"] = f'"{pack.sha256}"'
        return response
