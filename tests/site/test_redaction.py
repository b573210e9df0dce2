"""Keys, tokens, passwords and e-mail addresses, said at every door: none is read in a log, a problem, a failure or a staff page."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin as django_admin
from django.contrib.messages.storage.cookie import CookieStorage
from django.db.models import Model
from django.urls import path, reverse
from rest_framework.request import Request
from rest_framework.response import Response

from carbon_site import urls
from carbon_site.api import ServiceView
from carbon_site.models import StaffAction, TaskFailure
from carbon_site.problems import Problem
from carbon_site.tasks import Task
from carbon_site.worker import functions
from connections import services
from connections.models import ProviderConnection
from connections.providers import ProviderRefused, ProviderUnavailable
from projects.models import ApiKey
from tests import make
from tests.site.secrets import KEYS, SECRETS, SPEECHES, spilt
from tests.site.workers import work

PROJECTS, JSON = "/api/v1/projects", "application/json"
PARAMETERS = ("range", "from", "group_by", "project", "model", "cursor", "limit", "format")
HEADERS = ("Accept", "Idempotency-Key", "X-Request-ID", "User-Agent", "Host", "Cookie")


def requests_with(secret: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Requests that carry a secret somewhere: their method, address and the rest."""
    yield "get", f"/{quote(secret, safe='')}", {}
    yield "get", f"{PROJECTS}/{quote(secret, safe='')}", {}
    for name in PARAMETERS:
        yield "get", f"/api/v1/usage/summary?{urlencode({name: secret})}", {}
    for body in (
        {"provider": secret, "name": secret, "project": secret, "api_key": "sk-ant-wrong-kind"},
        {"provider": "openai", "name": "x", "api_key": secret},
        {"name": [secret], secret: secret},
        [secret],
        secret,
    ):
        yield "post", "/api/v1/connections", {"data": json.dumps(body), "content_type": JSON}
    yield "post", PROJECTS, {"data": secret, "content_type": JSON}
    yield "post", PROJECTS, {"data": secret, "content_type": secret}
    for header in HEADERS:
        yield "post", PROJECTS, {"data": "{}", "content_type": JSON, "headers": {header: secret}}


@pytest.mark.django_db
class TestRequests:
    @pytest.mark.parametrize("secret", SECRETS)
    def test_leave_no_secret_in_a_problem_or_in_the_log(self, admin, lines, secret, settings):
        settings.OPENAI_BASE_URL = "http://127.0.0.1:9"  # nobody listens

        answers = [getattr(admin, method)(there, **rest) for method, there, rest in requests_with(secret)]

        problems = [answer.content.decode() for answer in answers if answer.status_code >= 400]
        assert len(problems) > len(answers) / 2
        assert not spilt("".join(problems))
        assert lines.getvalue().count(PROJECTS) >= len(HEADERS)
        assert not spilt(lines.getvalue())

    @pytest.mark.parametrize("secret", SECRETS)
    def test_with_a_wrong_credential_leave_none_either(self, db, client, lines, secret):
        answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})

        assert answer.status_code == 401
        assert "credential.refused" in lines.getvalue()
        assert not spilt(answer.content.decode() + lines.getvalue())

    @pytest.mark.parametrize("secret", SECRETS)
    def test_take_no_secret_for_their_id(self, admin, secret):
        assert not spilt(admin.get("/api/v1/me", headers={"X-Request-ID": secret})["X-Request-ID"])

    @pytest.mark.parametrize("key", KEYS)
    def test_may_name_nothing_by_a_key(self, admin, acme, key):
        rules = [{"model": key}, {"api_key": key}]
        body = {"project": make.project(acme).pk, "name": f"my {key}", "rules": rules}

        errors = admin.post("/api/v1/workloads", body, format="json").json()["errors"]

        fields = {error["field"] for error in errors if error["code"] in ("key", "invalid")}
        assert fields == {"name", "rules.0.model", "rules.1.api_key"}


class Mistake(ServiceView):
    """A view that breaks on what it was sent."""

    authentication_classes = permission_classes = ()

    def get(self, request: Request) -> Response:
        raise RuntimeError(request.query_params["words"]) from ValueError(request.query_params["words"])


urlpatterns = [path("mistake", Mistake.as_view()), *urls.urlpatterns]
handler500 = urls.handler500


@pytest.mark.django_db
@pytest.mark.urls(__name__)
class TestMistakes:
    def test_of_ours_are_logged_without_the_secrets_in_them(self, client, lines):
        client.raise_request_exception = False

        answers = [client.get("/mistake", {"words": secret}) for secret in SECRETS]

        assert {answer.status_code for answer in answers} == {500}
        assert not spilt("".join(answer.content.decode() for answer in answers))
        assert lines.getvalue().count("RuntimeError") >= len(SECRETS)
        assert not spilt(lines.getvalue())


def pages(staff: Any, model: type[Model]) -> str:
    """The home page, and the list and each row of a model, as staff see them."""
    names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    rows = [reverse(f"{names}_change", args=[row.pk]) for row in model._default_manager.all()]
    found = [staff.get(there) for there in ("/admin/", reverse(f"{names}_changelist"), *rows)]
    assert {page.status_code for page in found} == {200}
    return "".join(page.content.decode() for page in found)


def fail(words: str) -> None:
    raise RuntimeError(words) from ValueError([words])


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # ARQ closes Redis so
class TestFailures:
    def test_of_tasks_are_kept_shown_and_logged_without_secrets(self, staff, lines):
        task = Task(run=fail, name="sample.fail", max_retries=0)
        for secret in SECRETS:
            task.apply_async(kwargs={"words": secret})

        work(functions=functions([task]))

        kept = list(TaskFailure.objects.values_list("arguments", "error", "traceback"))
        shown = pages(staff, TaskFailure)
        assert shown.count("Traceback") >= len(kept) == len(SECRETS)
        assert lines.getvalue().count("task.failed") == len(SECRETS)
        assert not spilt(repr(kept) + shown + lines.getvalue())


class Mishap(Problem):
    """It went wrong."""


@pytest.mark.django_db
class TestStaffPages:
    @pytest.mark.parametrize("said", SPEECHES)
    def test_show_the_reason_of_an_act_without_the_secrets_pasted_into_it(self, staff, acme, said):
        act = {"action": "revoke", "_selected_action": [make.api_key(acme).row.pk], "reason": said}

        shown = staff.post(reverse("admin:projects_apikey_changelist"), act, follow=True).content.decode()

        assert StaffAction.objects.filter(outcome="done", reason__contains="[hidden]").exists()
        assert not spilt(shown + pages(staff, StaffAction))

    @pytest.mark.parametrize("said", SPEECHES)
    def test_show_why_an_act_was_refused_without_secrets(self, staff, rf, acme, django_user_model, said):
        def refuse(row: ApiKey) -> None:
            raise Mishap(said)

        request = rf.post("/admin/", {"action": "revoke", "reason": "ticket 12"})
        request.user, request._messages = django_user_model.objects.get(), CookieStorage(request)

        django_admin.site._registry[ApiKey].act(request, [make.api_key(acme).row], refuse)

        (message,) = request._messages
        assert "[hidden]" in str(message)
        assert not spilt(str(message) + pages(staff, StaffAction))

    @pytest.mark.parametrize("said", SPEECHES)
    @pytest.mark.parametrize(
        ("how", "error"),
        [("refused", partial(ProviderRefused, "invalid_credentials")), ("unavailable", ProviderUnavailable)],
    )
    def test_show_what_a_provider_said_without_secrets(self, staff, admin, acme, said, how, error):
        source = make.connection(make.project(acme))
        reading = {"organization_id": acme.pk, "connection_id": source.pk, "now": make.NOW}

        services.report_reading(**reading, **{how: error(f"no: {said}")})

        shown = [
            admin.get(f"/api/v1/connections/{source.pk}").json()["status_detail"],
            pages(staff, ProviderConnection),
        ]
        assert all("no: " in text for text in shown)
        assert not spilt("".join(shown))
