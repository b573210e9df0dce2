"""The shape of every endpoint: who is let in, in what order, and how a refusal looks (RFC 9457)."""

from collections.abc import Iterator
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
from carbon_site.problems import Problem
from carbon_site.requests import current_request_id
from carbon_site.serializers import Schema

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"
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
    document = _document(problem.slug(), problem.title(), problem.status, problem.detail, path)
    return document | dict(problem.extensions)


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


def _document(slug: str, title: str, code: int, detail: str, path: str) -> dict[str, Any]:
    return {
        "type": f"{settings.PUBLIC_BASE_URL}/problems/{slug}",
        "title": title,
        "status": code,
        "detail": detail,
        "instance": path,
        "request_id": current_request_id(),
    }


def _framework_document(error: exceptions.APIException, path: str) -> dict[str, Any]:
    slug, title = next(FRAMEWORK[kind] for kind in type(error).__mro__ if kind in FRAMEWORK)
    if not isinstance(error, exceptions.ValidationError):
        return _document(slug, title, error.status_code, str(error.detail), path)
    errors = list(_field_errors(error.get_full_details()))
    detail = "; ".join(
        f"{each['field']}: {each['detail']}" if each["field"] else each["detail"] for each in errors[:3]
    )
    return _document(slug, title, status.HTTP_400_BAD_REQUEST, detail, path) | {"errors": errors}


def _field_errors(details: Any, field: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested errors as a flat list: `rules.0.model`."""
    if isinstance(details, dict) and details.keys() == {"message", "code"}:
        yield {"field": field, "code": str(details["code"]), "detail": str(details["message"])}
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


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "A stable word for the kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("field", "code", "detail")},
            },
        },
    },
    "additionalProperties": True,
}


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say in the schema with which problems each operation may answer."""
    components = result["components"]
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components["responses"] = {
        "Problem": {
            "description": "A problem (RFC 9457).",
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            for code in sorted(refusals(path, method, operation)):
                operation["responses"].setdefault(code, {"$ref": "#/components/responses/Problem"})
    return result


def refusals(path: str, method: str, operation: dict[str, Any]) -> set[str]:
    """The statuses of the problems that an operation may answer with."""
    asked = {parameter["name"] for parameter in operation.get("parameters", ())}
    is_ours, makes = "security" in operation, "Idempotency-Key" in asked
    when = {
        "400 406 429 5XX": True,
        "401 403": is_ours,
        "402": makes,
        "404": makes or "{" in path or "cursor" in asked,  # a new thing may name what is not there
        "409 422": is_ours and method != "get",
        "413 415": "requestBody" in operation,
    }
    return {code for codes, may_happen in when.items() if may_happen for code in codes.split()}
