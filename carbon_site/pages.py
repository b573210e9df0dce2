"""The pages that anyone may read: what this is, and what each problem means."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from carbon_site import demo
from carbon_site.api import FRAMEWORK
from carbon_site.problems import Problem

POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def landing(request: HttpRequest) -> HttpResponse:
    """What this is, and the ways in."""
    return _page(
        request,
        "carbon/landing.html",
        {
            "local": settings.LOCAL,
            "demo": demo.kept() if settings.LOCAL else {},
            "base": settings.PUBLIC_BASE_URL,
        },
    )


def problem(request: HttpRequest, slug: str) -> HttpResponse:
    """What a problem's `type` means: its address is this page."""
    titles = dict(FRAMEWORK.values()) | {kind.slug(): kind.title() for kind in _kinds(Problem)}
    if slug not in titles:
        raise Http404
    return _page(request, "carbon/problem.html", {"slug": slug, "title": titles[slug]})


def _kinds(kind: type[Problem]) -> list[type[Problem]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _kinds(child))]


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context)
    response["Content-Security-Policy"] = POLICY
    return response
