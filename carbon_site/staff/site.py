"""The admin site: every page of it stands behind the wall's one door for staff.

Light tables show all organisations. Heavy ones have no such policy: they show the organisation that this member of staff
has chosen, and nothing before.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from carbon_site import health, throttles
from carbon_site.api import problem_json
from carbon_site.ids import MalformedId, decode
from carbon_site.models import CHOSEN, StaffAction, TaskFailure
from carbon_site.problems import Problem
from projects import tenancy
from projects.models import Organization

View = Callable[..., HttpResponse]


class StaffSite(UnfoldAdminSite):
    """Unfold's site with our home page and the choice of an organisation."""

    index_title = "What runs"
    index_template = "staff/home.html"

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        @wraps(view)
        def behind_the_wall(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with ExitStack() as wall:
                if self.has_permission(request):
                    wall.enter_context(tenancy.every_organization("staff pages"))
                    if chosen := request.session.get(CHOSEN):
                        wall.enter_context(tenancy.organization(chosen))
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
                    response.render()  # its queries belong to this side of the wall
                return response

        return super().admin_view(behind_the_wall, cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """As Django's, but a wrong password counts like any wrong credential of an address."""
        try:
            throttles.admit_address(request)
        except Problem as problem:
            return problem_json(problem, request)
        response = super().login(request, extra_context)
        if request.method == "POST" and response.status_code == 200:
            throttles.note_failed_credential(request)
        return response

    def extra_urls(self) -> list[URLPattern]:
        return [
            path(
                "choose-organization/", self.admin_view(self.choose_organization), name="choose_organization"
            )
        ]

    def choose_organization(self, request: HttpRequest) -> HttpResponse:
        """Whose heavy tables this member of staff sees from now on; an unknown one is nobody's."""
        chosen = request.POST.get(CHOSEN, "")
        request.session[CHOSEN] = chosen if _is_organization(chosen) else ""
        return HttpResponseRedirect(reverse("admin:index"))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {
            "parts": {"Database": health.database(), "Redis": health.queue(), "Worker": health.worker()},
            "failures": TaskFailure.objects.order_by("-id")[:5],
            "acts": StaffAction.objects.order_by("-id")[:5],
            "organizations": Organization.objects.order_by("name")[:500],
            "chosen": request.session.get(CHOSEN, ""),
        }
        return super().index(request, context | (extra_context or {}))


def _is_organization(word: str) -> bool:
    try:
        decode(word, "org")
    except MalformedId:
        return False
    return Organization.objects.filter(pk=word).exists()
