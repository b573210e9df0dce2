from django.urls import path, re_path

from emissions.viewsets import EstimateViewSet, FactorsViewSet, SummaryViewSet

urlpatterns = [
    path("usage/summary", SummaryViewSet.as_view({"get": "usage"})),
    path("emissions/summary", SummaryViewSet.as_view({"get": "emissions"})),
    path("emissions/estimate", EstimateViewSet.as_view({"post": "create"})),
    path("factors", FactorsViewSet.as_view({"get": "list"})),
    re_path(r"^factors/(?P<version>[\w.-]+)$", FactorsViewSet.as_view({"get": "retrieve"})),
    path("models", FactorsViewSet.as_view({"get": "models"})),
]
