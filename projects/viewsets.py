"""Organisations, projects, workloads, keys and jobs over REST."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from carbon_site.api import OrganizationViewSet, valid
from carbon_site.serializers import JobSerializer
from projects import api_keys, organizations, services
from projects.idempotency import IDEMPOTENCY_KEY, IdempotencySecret, SecretResponse, creates, idempotent
from projects.models import ApiKey, Job, Organization, Project, Workload
from projects.serializers import (
    ApiKeySerializer,
    MeSerializer,
    NewApiKeySerializer,
    OrganizationSerializer,
    ProjectSerializer,
    WorkloadChangeSerializer,
    WorkloadFilterSerializer,
    WorkloadSerializer,
)


class MeViewSet(OrganizationViewSet):
    """Who this credential is."""

    model = Organization
    serializer_class = MeSerializer

    def retrieve(self, request: Request) -> Response:
        """The credential that this request came with, and the organisation that it opens."""
        organization = Organization.objects.get(pk=self.organization_id)
        who = {
            name: getattr(self.credential, name)
            for name in ("id", "kind", "role", "may_write", "requests_a_minute")
        }
        return Response(self.get_serializer(who | {"organization": organization}).data)


class OrganizationOfRequestViewSet(OrganizationViewSet):
    """The organisation that this credential opens."""

    model = Organization
    serializer_class = OrganizationSerializer

    def retrieve(self, request: Request) -> Response:
        """Its names, reporting time zone, fiscal year and what is retired for it."""
        return Response(self.get_serializer(Organization.objects.get(pk=self.organization_id)).data)

    def partial_update(self, request: Request) -> Response:
        """Change what was sent. Frozen periods keep what they were frozen with."""
        organization = Organization.objects.get(pk=self.organization_id)
        changes = valid(self.get_serializer(organization, data=request.data, partial=True))
        changed = organizations.update_organization(organization_id=self.organization_id, **changes)
        return Response(self.get_serializer(changed).data)


class ProjectViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet):
    """What an organisation keeps apart: a product, a team, a customer of theirs."""

    model = Project
    serializer_class = ProjectSerializer
    member_actions = frozenset({"create", "partial_update"})

    def get_queryset(self) -> Any:
        projects = super().get_queryset()
        return projects.active() if self.action == "list" else projects

    @creates
    @idempotent("prj")
    def create(self, request: Request, new_id: str) -> Response:
        """A new project, with a catch-all workload."""
        columns = valid(self.get_serializer(data=request.data))
        project = services.create_project(
            organization_id=self.organization_id, project_id=new_id, now=timezone.now(), **columns
        )
        return Response(self.get_serializer(project).data, status=201)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a project."""
        project = self.get_object()
        changes = valid(self.get_serializer(project, data=request.data, partial=True))
        if changes:
            project = services.rename_project(
                organization_id=self.organization_id, project_id=project.pk, **changes
            )
        return Response(self.get_serializer(project).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Archive a project. Its figures stay."""
        project = self.get_object()
        services.archive_project(
            organization_id=self.organization_id, project_id=project.pk, now=timezone.now()
        )
        return Response(status=204)


class WorkloadViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet):
    """Parts of a project's usage, told apart by rules that are asked in order of priority."""

    model = Workload
    serializer_class = WorkloadSerializer
    member_actions = frozenset({"create", "partial_update"})
    ordering = ("priority", "id")

    def get_queryset(self) -> Any:
        workloads = super().get_queryset()
        if self.action != "list":
            return workloads
        return workloads.active().filter(**WorkloadFilterSerializer.read(self.request.query_params))

    @extend_schema(parameters=[WorkloadFilterSerializer])
    def list(self, request: Request) -> Response:
        """Active workloads in the order in which they are asked."""
        return super().list(request)

    @creates
    @idempotent("wkl")
    def create(self, request: Request, new_id: str) -> Response:
        """A new workload of a project."""
        columns = valid(self.get_serializer(data=request.data))
        workload = services.create_workload(
            organization_id=self.organization_id, workload_id=new_id, **columns
        )
        return Response(self.get_serializer(workload).data, status=201)

    @extend_schema(request=WorkloadChangeSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a workload, or change its rules or its turn."""
        workload = self.get_object()
        changes = valid(WorkloadChangeSerializer(workload, data=request.data, partial=True))
        if changes:
            workload = services.update_workload(
                organization_id=self.organization_id, workload_id=workload.pk, **changes
            )
        return Response(self.get_serializer(workload).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Archive a workload. Its figures stay; new usage goes to the next that claims it."""
        workload = self.get_object()
        services.archive_workload(
            organization_id=self.organization_id, workload_id=workload.pk, now=timezone.now()
        )
        return Response(status=204)


class ApiKeyViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet):
    """Credentials of programs. A key is shown once; a key never makes keys."""

    model = ApiKey
    serializer_class = ApiKeySerializer
    hidden_from_auditors = True
    people_only = frozenset({"create"})

    @extend_schema(parameters=[IDEMPOTENCY_KEY], responses={201: NewApiKeySerializer})
    @idempotent("key")
    def create(self, request: Request, new_id: str) -> Response:
        """A new key, shown in this answer alone."""
        columns = valid(self.get_serializer(data=request.data))
        made = api_keys.create_api_key(
            organization_id=self.organization_id,
            key_id=new_id,
            made_by=self.credential.id,
            now=timezone.now(),
            **columns,
        )
        if made.secret is None:
            raise IdempotencySecret(f"{new_id} was made; delete it, and use another key.", object=new_id)
        return SecretResponse(self.get_serializer(made.row).data | {"key": made.secret}, status=201)

    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke a key. Twice is harmless."""
        key = self.get_object()
        api_keys.revoke_api_key(organization_id=self.organization_id, key_id=key.pk, now=timezone.now())
        return Response(status=204)


class JobViewSet(RetrieveModelMixin, OrganizationViewSet):
    """Long work that was started by a request: where it stands, and what came of it. Kept for 30 days."""

    model = Job
    serializer_class = JobSerializer
