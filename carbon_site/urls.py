"""Every address there is. An app's own stand in its `urls.py`."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from carbon_site import pages

api = [
    path("", include("projects.urls")),
    path("", include("connections.urls")),
    path("", include("telemetry.urls")),
    path("", include("emissions.urls")),
    path("", include("billing.urls")),
    path("", include("receipts.urls")),
    path("", include("audit.urls")),
]

urlpatterns = [
    path("", pages.landing),
    path("problems/<slug:slug>", pages.problem),
    path("", include("receipts.public_urls")),
    path("", include("audit.public_urls")),
    path("api/v1/", include(api)),
    path(
        "api/schema/",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="schema",
    ),
    path(
        "api/docs/",
        SpectacularSwaggerView.as_view(url_name="schema", authentication_classes=[], permission_classes=[]),
        name="docs",
    ),
    path("admin/", admin.site.urls),
]

handler400 = "carbon_site.api.bad_request"
handler404 = "carbon_site.api.not_found"
handler500 = "carbon_site.api.server_error"
