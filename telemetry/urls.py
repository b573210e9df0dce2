from django.urls import path

from telemetry.viewsets import EventViewSet, ReadingViewSet

urlpatterns = [
    path("usage/events", EventViewSet.as_view({"get": "list"})),
    path("connections/<str:pk>/sync", ReadingViewSet.as_view({"post": "sync"})),
    path("connections/<str:pk>/polls", ReadingViewSet.as_view({"get": "polls"})),
]
