from django.urls import path
from rest_framework.routers import SimpleRouter

from projects import viewsets

router = SimpleRouter(trailing_slash=False)
router.register("projects", viewsets.ProjectViewSet, basename="project")
router.register("workloads", viewsets.WorkloadViewSet, basename="workload")
router.register("api-keys", viewsets.ApiKeyViewSet, basename="api-key")
router.register("jobs", viewsets.JobViewSet, basename="job")

urlpatterns = [
    path("me", viewsets.MeViewSet.as_view({"get": "retrieve"})),
    path(
        "organization",
        viewsets.OrganizationOfRequestViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
    ),
    *router.urls,
]
