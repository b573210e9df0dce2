"""The ledger of usage over REST, and how reading it went."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from carbon_site.api import OrganizationViewSet
from carbon_site.serializers import JobSerializer
from connections.models import ProviderConnection
from projects.jobs import begin_job
from telemetry.models import PollRun, TelemetryEvent
from telemetry.serializers import EventFilterSerializer, EventSerializer, PollRunSerializer
from telemetry.tasks import SYNC, sync


class EventViewSet(ListModelMixin, OrganizationViewSet):
    """The ledger: what the providers said, bucket by bucket, revision by revision."""

    model = TelemetryEvent
    serializer_class = EventSerializer

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return TelemetryEvent.unscoped.none()
        said = EventFilterSerializer.read(self.request.query_params)
        start, end = said.pop("start"), said.pop("end")
        as_of, everything = said.pop("as_of", None), said.pop("include_superseded")
        events = super().get_queryset().within(start, end).filter(**said)
        if as_of is not None:
            return events.as_of(as_of) if not everything else events.filter(observed_at__lte=as_of)
        return events if everything else events.current()

    @extend_schema(parameters=[EventFilterSerializer])
    def list(self, request: Request) -> Response:
        """Newest first. A bucket that grew has several revisions; only the current one counts."""
        return super().list(request)


class ReadingViewSet(OrganizationViewSet):
    """How a connection is read."""

    model = ProviderConnection
    serializer_class = JobSerializer

    @extend_schema(request=None, responses={202: JobSerializer})
    def sync(self, request: Request, pk: str) -> Response:
        """Read it now. Asked twice, it is the same job."""
        connection = self.get_object()
        job = begin_job(
            organization_id=self.organization_id, kind=SYNC, subject=connection.pk, now=timezone.now()
        )
        sync.apply_async((self.organization_id, job.pk), task_id=f"sync:{job.pk}")
        return Response(self.get_serializer(job).data, status=202)

    @extend_schema(responses=PollRunSerializer(many=True))
    def polls(self, request: Request, pk: str) -> Response:
        """What each reading did, newest first."""
        runs = PollRun.objects.for_organization(self.organization_id).filter(connection=self.get_object())
        page = self.paginate_queryset(runs.order_by("-id"))
        return self.get_paginated_response(PollRunSerializer(page, many=True).data)
