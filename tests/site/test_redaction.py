"""Keys, tokens, passwords and e-mail addresses, said at every door: none is read in a log, a problem, a failure or a staff page."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from urllib.parse import quote, urlencode

import pytest
import structlog
from django.conf import settings as configured
from django.contrib import admin as django_admin
from django.contrib.messages.storage.cookie import CookieStorage
from django.urls import path, reverse
from rest_framework.request import Request
from rest_framework.response import Response

from carbon_site import urls
from carbon_site.api import ServiceView
from carbon_site.logs import redact, redact_value
from carbon_site.models import StaffAction, TaskFailure
from carbon_site.problems import Problem
from carbon_site.tasks import Task
from carbon_site.worker import functions
from connections import services
from connections.models import ProviderConnection
from connections.providers import ProviderRefused, ProviderUnavailable
from projects.jobs import begin_job, end_job
from projects.models import ApiKey, Job
from tests import make
from tests.site.workers import work

KEYS = [
    "sk-admin-Ab3dEf6hIj9kLm2nOp5q",
    "sk-proj-Ab3dEf6hIj9kLm2n_p5q",
    "sk-svcacct-Ab3dEf6hIj9kLm2nOp5q",
    "sk-Ab3dEf6hIj9kLm2nOp5qAb3dEf6hIj9kLm2nOp5qAb3dEf6h",
    "sk-ant-api03-Ab3dEf6hIj9k-Lm2nOp5q",
    "sk-ant-admin01-Ab3dEf6hIj9kLm2nOp5q",
    "sk-or-v1-0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "cfk_Ab3dEf6hIj9kLm2nOp5qRs8t",
    "sk_live_Ab3dEf6hIj9kLm2nOp5q",
    "rk_test_Ab3dEf6hIj9kLm2nOp5q",
    "whsec_Ab3dEf6hIj9k+Lm2n/Op5qA==",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJlLW9mLWl0",
]
# What is said, and the part of it that nobody may read.
SECRETS = {key: key[-12:] for key in KEYS} | {
    "Bearer Zm9vYmFyOmJhejEyMw": "Zm9vYmFyOmJhejEyMw",
    "Basic dXNlcjpwYXNzd29yZA==": "dXNlcjpwYXNzd29yZA",
    "postgresql://app:hunter2.hunter2@db/carbon": "hunter2.hunter2",
    "redis://:hunter3@hunter3@cache:6379/0": "hunter3",
    "ada.lovelace@example.org": "lovelace",
}
log = structlog.get_logger(__name__)


def spilt(text: str) -> list[str]:
    """The secrets that can be read in a text."""
    return [secret for secret, part in SECRETS.items() if part in text or quote(part, safe="") in text]


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What the log says, as an operator reads it."""
    (console,) = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    read = StringIO()
    before = console.setStream(read)
    yield read
    console.setStream(before)


@pytest.mark.parametrize("secret", SECRETS)
class TestText:
    @pytest.mark.parametrize(
        "around",
        ["key={}, and more", "('{}',)", "_{}", "q=%3D{}%26", "\\n{}\\n", "密钥{}。", "https://x.example/?key={}&a=b"],
    )
    def test_loses_its_secrets_whatever_stands_around_them(self, secret, around):
        assert not spilt(redact(around.format(secret)))

    def test_loses_its_secrets_also_where_it_is_escaped(self, secret):
        assert not spilt(redact(quote(secret, safe="")) if "://" not in secret else "")
        assert not spilt(redact(json.dumps({"said": f"\n{secret}\n"})))
        assert not spilt(redact(repr(ValueError(f"\n{secret}\n"))))

    def test_loses_its_secrets_however_deep_they_are(self, secret):
        nested = {"a": [secret, {secret: (secret, {secret}, secret.encode())}], "b": ValueError(secret)}

        assert not spilt(json.dumps(redact_value(nested)))


class TestOtherText:
    @pytest.mark.parametrize(
        "text",
        [
            "prj_01h455vb4pex5vsknk084sn02q",
            "gpt-5.2-2025-12-11",
            "claude-opus-4@20260101",
            "sk-telecom/a.x-4.0",
            "openai@3.57.0",
            "task-admin-cleanup-of-old-rows",
            "risk-or-reward-assessment",
            "basic authentication, and a bearer of good news",
            "AKIA2345ABCDEFGHIJKLMNOPQR",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
            "2026-11-25T09:08:40.661057Z",
            "http://localhost:8000/problems/not-found?at=12:30",
        ],
    )
    def test_stays_as_it_is(self, text):
        assert redact(text) == text

    @pytest.mark.parametrize(
        "unit", ["a", "a.", "a@", "a@a.", "%40", "eyJ", "-eyJ", "sk-", "x://a:", "x://a:@", "bearer ", "bearer+"]
    )
    def test_takes_no_longer_than_its_length(self, unit):
        """Were it by the square of it, this would take hours."""
        assert redact(unit * (200_000 // len(unit)))


class TestLines:
    def test_of_ours_have_no_secrets(self, lines):
        for secret in SECRETS:
            with structlog.contextvars.bound_contextvars(bound=secret):
                log.warning("%s was said", secret, word=secret, _word=secret, nested=[{secret: secret}])

        assert "was said" in lines.getvalue()
        assert not spilt(lines.getvalue())

    def test_of_libraries_have_no_secrets(self, lines):
        library = logging.getLogger("library")
        for secret in SECRETS:
            library.warning("to %s", secret, extra={"word": secret, "request": {"url": secret}}, stack_info=True)

        assert "library" in lines.getvalue()
        assert not spilt(lines.getvalue())

    def test_of_errors_have_no_secrets(self, lines):
        for secret in SECRETS:
            try:
                try:
                    raise ValueError(secret)
                except ValueError as cause:
                    cause.add_note(secret)
                    raise ExceptionGroup(secret, [RuntimeError(secret)]) from cause
            except ExceptionGroup:
                logging.getLogger("library").exception("it failed")
                log.exception("it failed")

        assert lines.getvalue().count("RuntimeError") >= 2 * len(SECRETS)
        assert not spilt(lines.getvalue())

    def test_go_through_one_formatter(self):
        """A handler beside it would write what it is given, secrets and all."""
        loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
        writing = {type(handler) for each in loggers for handler in each.handlers}

        assert {kind.__name__ for kind in writing} <= {"NullHandler", "LogCaptureHandler"}


SERVER = """
import logging, sys, uvicorn
uvicorn.Config("x:y")
from carbon_site.logs import logging_config
logging_config(level="INFO", form="json")
for secret in sys.argv[1:]:
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "::1", "GET", "/?key=" + secret, "1.1", 200)
    logging.getLogger("uvicorn.error").error("refused: %s", secret)
    logging.getLogger("library").info("%d", secret)
"""


class TestServer:
    def test_says_nothing_past_the_formatter(self):
        """Neither in its own lines, nor where a line cannot be formatted."""
        ran = subprocess.run(
            [sys.executable, "-c", SERVER, *SECRETS], capture_output=True, text=True, check=True
        )

        events = [json.loads(line)["event"] for line in ran.stderr.splitlines()]
        assert len(events) == 2 * len(SECRETS)
        assert not spilt(ran.stderr)


def requests_with(secret: str) -> Iterator[tuple[str, str, dict]]:
    """Requests that carry a secret somewhere: their method, address and the rest."""
    word = quote(secret, safe="")
    yield "get", f"/{word}", {}
    yield "get", f"/api/v1/projects/{word}", {}
    for name in ("range", "from", "group_by", "project", "model", "granularity", "cursor", "limit", "format"):
        yield "get", f"/api/v1/usage/summary?{urlencode({name: secret})}", {}
    for body in (
        {"provider": secret, "name": secret, "project": secret, "api_key": "sk-ant-wrong-kind"},
        {"provider": "openai", "name": secret, "api_key": secret},
        {"name": [secret], secret: secret},
        [secret],
        secret,
    ):
        yield "post", "/api/v1/connections", {"data": json.dumps(body), "content_type": "application/json"}
    yield "post", "/api/v1/projects", {"data": secret, "content_type": "application/json"}
    yield "post", "/api/v1/projects", {"data": secret, "content_type": secret}
    for header in ("Accept", "Idempotency-Key", "X-Request-ID", "User-Agent", "Referer", "Host", "Origin", "Cookie"):
        yield "post", "/api/v1/projects", {"data": "{}", "content_type": "application/json", "headers": {header: secret}}


@pytest.mark.django_db
class TestRequests:
    @pytest.mark.parametrize("secret", SECRETS)
    def test_that_carry_a_secret_leave_it_neither_in_the_problem_nor_in_the_log(self, admin, lines, secret, settings):
        settings.OPENAI_BASE_URL = "http://127.0.0.1:9"  # nobody listens

        answers = [getattr(admin, method)(there, **rest) for method, there, rest in requests_with(secret)]

        problems = [answer.content.decode() for answer in answers if answer.status_code >= 400]
        assert len(problems) >= len(answers) - 4  # a name may be an e-mail address
        assert not spilt("".join(problems))
        assert lines.getvalue().count("/api/v1/projects") > 1
        assert not spilt(lines.getvalue())

    @pytest.mark.parametrize("secret", [*KEYS, "Basic dXNlcjpwYXNzd29yZA=="])
    def test_with_a_wrong_credential_say_and_log_nothing_of_it(self, db, client, lines, secret):
        answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})

        assert answer.status_code == 401
        assert "credential.refused" in lines.getvalue()
        assert not spilt(answer.content.decode() + lines.getvalue())

    @pytest.mark.parametrize("secret", SECRETS)
    def test_take_no_secret_for_their_id(self, admin, secret):
        answer = admin.get("/api/v1/me", headers={"X-Request-ID": secret})

        assert not spilt(answer["X-Request-ID"])

    @pytest.mark.parametrize("key", KEYS)
    def test_keep_no_key_as_a_name(self, admin, key):
        answer = admin.post("/api/v1/projects", {"name": f"my {key}"}, format="json")

        assert [error["code"] for error in answer.json()["errors"]] == ["key"]


class Mistake(ServiceView):
    """A view of ours that breaks on what it was sent."""

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

    def test_are_shown_to_nobody(self):
        """Django's page for developers shows settings and local variables; its letters to admins do too."""
        assert configured.DEBUG is False
        assert configured.LOGGING_CONFIG is None


def pages(staff, *models) -> str:
    """The home page, and the lists and rows of these models, as staff see them."""
    found = [staff.get("/admin/")]
    for model in models:
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(staff.get(reverse(f"{names}_changelist")))
        found += [
            staff.get(reverse(f"{names}_change", args=[row.pk])) for row in model._default_manager.all()
        ]
    assert {page.status_code for page in found} == {200}
    return "".join(page.content.decode() for page in found)


@pytest.fixture
def staff(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("ada", password="x"))
    return client


def fail(words: str) -> None:
    raise RuntimeError(words) from ValueError([words])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("empty_queue")
@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # ARQ closes Redis so
class TestFailures:
    def test_of_tasks_are_kept_shown_and_logged_without_secrets(self, staff, lines):
        task = Task(run=fail, name="sample.fail", max_retries=0)
        for secret in SECRETS:
            task.apply_async(kwargs={"words": secret})

        work(functions=functions([task]))

        kept = list(TaskFailure.objects.values_list("arguments", "error", "traceback"))
        assert len(kept) == len(SECRETS)
        assert not spilt(repr(kept) + pages(staff, TaskFailure))
        assert lines.getvalue().count("task.failed") == len(SECRETS)
        assert not spilt(lines.getvalue())


class Mishap(Problem):
    """It went wrong."""


@pytest.mark.django_db
class TestStaffPages:
    def test_show_acts_without_the_secrets_that_were_pasted_as_their_reason(self, staff, acme):
        key = make.api_key(acme)
        there = reverse("admin:projects_apikey_changelist")

        shown = [
            staff.post(there, {"action": "revoke", "_selected_action": [key.row.pk], "reason": secret}, follow=True)
            for secret in SECRETS
        ]

        assert StaffAction.objects.filter(outcome="done").count() == len(SECRETS)
        assert not spilt("".join(page.content.decode() for page in shown))
        assert not spilt(repr(list(StaffAction.objects.values())) + pages(staff, StaffAction))

    @pytest.mark.parametrize("secret", SECRETS)
    def test_show_what_an_act_was_refused_for_without_secrets(self, staff, rf, acme, django_user_model, secret):
        def refuse(row: ApiKey) -> None:
            raise Mishap(secret)

        request = rf.post("/admin/", {"action": "revoke", "reason": "ticket 12"})
        request.user, request._messages = django_user_model.objects.get(), CookieStorage(request)

        django_admin.site._registry[ApiKey].act(request, [make.api_key(acme).row], refuse)

        assert not spilt("".join(str(message) for message in request._messages))
        assert not spilt(repr(list(StaffAction.objects.values())))

    def test_show_what_a_provider_said_without_secrets(self, staff, admin, acme):
        source = make.connection(make.project(acme))
        said = {"organization_id": acme.pk, "connection_id": source.pk, "now": make.NOW}
        shown = []

        for secret in SECRETS:
            for how in (
                {"refused": ProviderRefused("invalid_credentials", f"no: {secret}")},
                {"unavailable": ProviderUnavailable(f"no: {secret}")},
            ):
                services.report_reading(**said, **how)
                shown.append(admin.get(f"/api/v1/connections/{source.pk}").json()["status_detail"])
                shown.append(pages(staff, ProviderConnection))

        assert all("no: " in text for text in shown)
        assert not spilt("".join(shown))
