"""Figures over REST: what was used, what it emitted, with what factors, and what anything would."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from carbon_site.api import OrganizationViewSet, ServiceView, valid
from emissions import serializers
from emissions.coverage import gaps
from emissions.estimate import Estimate, estimate, total
from emissions.models import CarbonFactors, UsageDay
from emissions.publish import factor_set, newest
from emissions.summary import Question, summarize
from telemetry.coverage import coverage

IN_ONE_PAGE = [OpenApiParameter(name, exclude=True) for name in ("cursor", "limit")]


class SummaryViewSet(OrganizationViewSet):
    """Usage and its emissions, over time and by what it was for."""

    model = UsageDay
    serializer_class = serializers.EmissionsSummarySerializer

    @extend_schema(parameters=[serializers.QuestionSerializer], responses=serializers.UsageSummarySerializer)
    def usage(self, request: Request) -> Response:
        """Tokens by class and requests. Parts of a group add up to the whole."""
        now, question = (
            timezone.now(),
            self.question(),
        )  # in this order, so that a range up to now ends after it
        rows = [serializers.usage_row(row) for row in summarize(question, now)]
        return Response({"results": rows, "coverage": self.coverage(question, now)[0]})

    @extend_schema(parameters=[serializers.QuestionSerializer])
    def emissions(self, request: Request) -> Response:
        """Energy and CO2e with its 95 % interval: estimated from token counts with published factors."""
        now, question = (
            timezone.now(),
            self.question(),
        )  # in this order, so that a range up to now ends after it
        rows = [serializers.emissions_row(row) for row in summarize(question, now)]
        covered, versions = self.coverage(question, now)
        return Response({"results": rows, "coverage": covered, "factor_versions": versions})

    def question(self) -> Question:
        return serializers.QuestionSerializer.question(self.request.query_params, self.organization_id)

    def coverage(self, question: Question, now: Any) -> tuple[dict[str, Any], list[str]]:
        hours = coverage(self.organization_id, question.start, question.end, now)
        left_out = gaps(self.organization_id, question.start, question.end, now)
        unmapped = [
            {
                "model": model,
                "tokens": tokens,
                "share": round(tokens / left_out.tokens, 6) if left_out.tokens else 0,
            }
            for model, tokens in left_out.unmapped
        ]
        not_estimated = [
            {"family": family, "tokens": tokens, "requests": asked}
            for family, tokens, asked in left_out.not_estimated
        ]
        return {
            "hours_expected": hours.expected,
            "hours_observed": hours.observed,
            "hours_missing": hours.missing,
            "unmapped_models": unmapped,
            "not_estimated": not_estimated,
        }, left_out.versions


class PublicViewSet(ServiceView, GenericViewSet):
    """Base of what anyone may ask, without a credential; the address is counted."""

    authentication_classes = ()
    permission_classes = ()


class EstimateViewSet(PublicViewSet):
    """The public calculator."""

    serializer_class = serializers.EstimateBatchSerializer

    @extend_schema(responses={200: serializers.EstimatesSerializer})
    def create(self, request: Request) -> Response:
        """What usage would emit, by the newest factors: up to 1000 rows, each with its interval, and their total with its own."""
        rows = valid(self.get_serializer(data=request.data))["rows"]
        published = newest()
        made = [estimate(factor_set(published), row) for row in rows]
        whole = Estimate("", "text", "", all(each.is_mapped for each in made), total(made), None)
        return Response(
            {
                "results": [serializers.estimate_row(each) for each in made],
                "total": serializers.estimate_row(whole),
                "factor_version": published.version,
            }
        )


class FactorsViewSet(ListModelMixin, PublicViewSet):
    """Published sets of factors. A set is final; its hash is over its canonical JSON."""

    queryset = CarbonFactors.objects.all()
    serializer_class = serializers.FactorsSerializer
    lookup_field = "version"

    @extend_schema(responses={200: {"type": "object", "additionalProperties": True}})
    def retrieve(self, request: Request, version: str) -> HttpResponse:
        """The whole set, byte for byte as it was hashed."""
        factors = self.get_object()
        headers = {"ETag": f'"{factors.sha256}"', "Cache-Control": "public, max-age=31536000, immutable"}
        return HttpResponse(factors.document, content_type="application/json", headers=headers)

    @extend_schema(responses=serializers.ModelMappingSerializer(many=True), parameters=IN_ONE_PAGE)
    def models(self, request: Request) -> Response:
        """Which model counts as which tier, in the newest set: all in one page."""
        rows = serializers.ModelMappingSerializer(factor_set(newest()).models.values(), many=True).data
        return Response({"results": rows, "next": None, "previous": None})
