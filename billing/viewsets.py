"""Periods and adjustments over REST."""

from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from billing.models import BillingPeriod, PriorPeriodAdjustment
from billing.serializers import AdjustmentSerializer, PeriodSerializer
from carbon_site.api import OrganizationViewSet


class PeriodViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet):
    """Calendar months in UTC: open while usage may still arrive, then frozen, for ever."""

    model = BillingPeriod
    serializer_class = PeriodSerializer
    hidden_from_auditors = True
    ordering = ("-month", "-revision")


class AdjustmentViewSet(ListModelMixin, OrganizationViewSet):
    """Usage that came, or changed, after its month was closed. The month stays as it was frozen."""

    model = PriorPeriodAdjustment
    hidden_from_auditors = True
    serializer_class = AdjustmentSerializer
