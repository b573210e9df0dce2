"""Provider accounts over REST."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from carbon_site.api import OrganizationViewSet, valid
from connections import services
from connections.models import ProviderConnection
from connections.serializers import ConnectionChangeSerializer, ConnectionSerializer
from projects.idempotency import creates, idempotent


class ConnectionViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet):
    """The provider accounts that usage is read from."""

    model = ProviderConnection
    serializer_class = ConnectionSerializer

    def get_queryset(self) -> Any:
        connections = super().get_queryset()
        return connections.active() if self.action == "list" else connections

    @creates
    @idempotent("con")
    def create(self, request: Request, new_id: str) -> Response:
        """Connect an account. The key is tried first; one that is refused is not kept."""
        columns = valid(self.get_serializer(data=request.data))
        connection = services.connect(
            organization_id=self.organization_id, connection_id=new_id, now=timezone.now(), **columns
        )
        return Response(self.get_serializer(connection).data, status=201)

    @extend_schema(request=ConnectionChangeSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a connection, pause it, or let new usage go to another project."""
        connection = self.get_object()
        changes = valid(ConnectionChangeSerializer(connection, data=request.data, partial=True))
        if changes:
            connection = services.update_connection(
                organization_id=self.organization_id, connection_id=connection.pk, **changes
            )
        return Response(self.get_serializer(connection).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Read no more, and forget the key. What was read stays."""
        connection = self.get_object()
        services.archive_connection(
            organization_id=self.organization_id, connection_id=connection.pk, now=timezone.now()
        )
        return Response(status=204)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def validate(self, request: Request, pk: str) -> Response:
        """Try the key again now."""
        connection = self.get_object()
        tried = services.prove(
            organization_id=self.organization_id, connection_id=connection.pk, now=timezone.now()
        )
        return Response(self.get_serializer(tried).data)
