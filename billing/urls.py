from django.urls import path
from rest_framework.routers import SimpleRouter

from billing.viewsets import AdjustmentViewSet, PeriodViewSet

router = SimpleRouter(trailing_slash=False)
router.register("billing/periods", PeriodViewSet, basename="period")

urlpatterns = [
    path("adjustments", AdjustmentViewSet.as_view({"get": "list"})),
    *router.urls,
]
