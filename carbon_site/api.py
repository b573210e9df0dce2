"""The shape of every endpoint: who is let in, in what order, and how a refusal looks (RFC 9457)."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from carbon_site import throttles
from carbon_site.logs import redact_value
from carbon_site.problems import Problem
from carbon_site.requests import current_request_id
from carbon_site.schema import Schema

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"
LONGEST = 500  # characters of what is said of a field, as it may repeat what was sent
# How the framework's own refusals are called: type, title. The detail is theirs.
FRAMEWORK: dict[type[Exception], tuple[str, str]] = {
    exceptions.ValidationError: ("invalid", "The request has fields that do not fit"),
    exceptions.ParseError: ("malformed", "The body cannot be read"),
    exceptions.NotAuthenticated: ("not-authenticated", "A credential is needed"),
    exceptions.AuthenticationFailed: ("not-authenticated", "The credential is not accepted"),
    exceptions.PermissionDenied: ("not-allowed", "Your role or the scope of your key does not allow this"),
    exceptions.NotFound: ("not-found", "There is no such thing, or it is not yours"),
    exceptions.MethodNotAllowed: ("method-not-allowed", "This address does not take that method"),
    exceptions.NotAcceptable: ("not-acceptable", "The answer cannot have the form that was asked for"),
    exceptions.UnsupportedMediaType: ("unsupported-media-type", "The body must be application/json"),
}


class InternalError(Problem):
    """Something went wrong on our side."""

    status = 500


class ServiceView(APIView):
    """Base of every endpoint: the address is counted first, then comes the credential."""

    schema = Schema()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.format_kwarg = self.get_format_suffix(**kwargs)
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        self.admit(request)
        self.check_permissions(request)

    def admit(self, request: Request) -> None:
        throttles.admit_address(request)
        self.perform_authentication(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in getattr(self, "allowance_headers", {}).items():
            response.setdefault(name, value)
        return response


class OrganizationViewSet(ServiceView, GenericViewSet):
    """Base of every endpoint of an organisation's things: address, credential, wall, throttle, then role and scope.

    The wall is set where the credential is checked. What is another organisation's does not exist: 404.
    """

    model: ClassVar[Any]
    member_actions: ClassVar[frozenset[str]] = frozenset()  # what a member may do besides reading
    people_only: ClassVar[frozenset[str]] = frozenset()  # what no API key may do, whatever its scope
    hidden_from_auditors: ClassVar[bool] = False

    def admit(self, request: Request) -> None:
        super().admit(request)
        if self.credential is not None and (allowance := throttles.admit(self.credential.buckets)):
            self.allowance_headers = allowance.headers

    @property
    def credential(self) -> Any:
        """Who asks (`projects.auth.Credential`), or None."""
        return self.request.auth

    @property
    def organization_id(self) -> str:
        return str(self.credential.organization_id)

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.model.unscoped.none()
        return self.model.objects.for_organization(self.organization_id)


def valid(serializer: Any) -> dict[str, Any]:
    """What a serializer read, or a 400 that names each field that does not fit."""
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def problem_response(error: Exception, context: Any) -> Response | None:
    """DRF's exception handler. None, for what is our mistake, makes Django log it and answer 500."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, Problem):
        document = problem_document(error, context["request"].path)
        headers = error.headers
    elif isinstance(error, exceptions.APIException):
        document, headers = _framework_document(error, context["request"].path), _framework_headers(error)
    else:
        return None
    return Response(document, status=document["status"], headers=headers, content_type=CONTENT_TYPE)


def problem_document(problem: Problem, path: str) -> dict[str, Any]:
    said = (problem.slug(), problem.title(), problem.status, problem.detail)
    return _document(*said, path, problem.extensions)


def problem_json(problem: Problem, request: HttpRequest) -> JsonResponse:
    """A problem outside DRF."""
    document = problem_document(problem, request.path)
    return JsonResponse(document, status=problem.status, headers=problem.headers, content_type=CONTENT_TYPE)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404."""
    document = _document(*FRAMEWORK[exceptions.NotFound], 404, "No page has this address.", request.path)
    return JsonResponse(document, status=404, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler400."""
    document = _document("malformed", "The request cannot be read", 400, "", request.path)
    return JsonResponse(document, status=400, content_type=CONTENT_TYPE)


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500: says nothing but the id under which the log tells the story."""
    return problem_json(InternalError("It was logged under this request_id."), request)


def _document(
    slug: str, title: str, code: int, detail: str, path: str, extensions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Without secrets: a detail may repeat what was sent, and an address what was pasted into it."""
    document = {
        "type": f"{settings.PUBLIC_BASE_URL}/problems/{slug}",
        "title": title,
        "status": code,
        "detail": detail,
        "instance": path,
        "request_id": current_request_id(),
    }
    return dict(redact_value(document | dict(extensions or {})))


def _framework_document(error: exceptions.APIException, path: str) -> dict[str, Any]:
    slug, title = next(FRAMEWORK[kind] for kind in type(error).__mro__ if kind in FRAMEWORK)
    if not isinstance(error, exceptions.ValidationError):
        return _document(slug, title, error.status_code, str(error.detail), path)
    errors = list(_field_errors(error.get_full_details()))
    detail = "; ".join(
        f"{each['field']}: {each['detail']}" if each["field"] else each["detail"] for each in errors[:3]
    )
    return _document(slug, title, status.HTTP_400_BAD_REQUEST, detail, path, {"errors": errors})


def _field_errors(details: Any, field: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested errors as a flat list: `rules.0.model`."""
    if isinstance(details, dict) and details.keys() == {"message", "code"}:
        yield {"field": field, "code": str(details["code"]), "detail": str(details["message"])[:LONGEST]}
    elif isinstance(details, dict):
        for name, inner in details.items():
            own = "" if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            yield from _field_errors(inner, ".".join(filter(None, [field, own])))
    else:
        for place, inner in enumerate(details):
            is_leaf = isinstance(inner, dict) and inner.keys() == {"message", "code"}
            if inner:
                yield from _field_errors(inner, field if is_leaf else f"{field}.{place}".lstrip("."))


def _framework_headers(error: exceptions.APIException) -> dict[str, str]:
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return {"WWW-Authenticate": "Bearer"}
    return {}
