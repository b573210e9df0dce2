"""Bad input gets a clear problem and never a 5xx."""

import json
import logging

import pytest
from django.test import Client

from carbon_site.problems import Problem
from tests import make

PROJECTS = "/api/v1/projects"


def send(client, body: bytes | str, content_type="application/json", method="post"):
    return getattr(client, method)(PROJECTS, body, content_type=content_type)


@pytest.mark.django_db
class TestProblems:
    def test_have_every_member(self, admin):
        answer = admin.get("/api/v1/projects/nothing", headers={"X-Request-ID": "my-id"})

        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json() == {
            "type": "http://localhost:8000/problems/not-found",
            "title": "There is no such thing, or it is not yours",
            "status": 404,
            "detail": answer.json()["detail"],
            "instance": "/api/v1/projects/nothing",
            "request_id": "my-id",
        }

    @pytest.mark.parametrize(
        "path", ["/nothing", "/api/v1/nothing", "/api/v1/projects/", "/api/v1/projects/%00", "/%ff"]
    )
    def test_answer_unknown_addresses(self, admin, path):
        answer = admin.get(path)

        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")

    @pytest.mark.parametrize("method", ["put", "delete", "patch"])
    def test_answer_wrong_methods(self, admin, method):
        answer = getattr(admin, method)(PROJECTS)

        assert (answer.status_code, answer["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")
        assert answer.json()["type"].endswith("/method-not-allowed")

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"{", "line 1, column 2"),
            (b'{"name": "a", "name": "b"}', "a name stands twice"),
            (b'{"name": NaN}', "NaN is not a number"),
            (b'{"name": "\\ud800"}', "not valid UTF-8"),
            (b'{"name": "\xff"}', "not valid UTF-8"),
            (b'{"name": ' + b"9" * 4301 + b"}", "4300 digits"),
            (b"[" * 100_000, "nested too deeply"),
        ],
    )
    def test_answer_bodies_that_are_no_json(self, admin, body, reason):
        answer = send(admin, body)

        assert (answer.status_code, answer.json()["type"][-10:]) == (400, "/malformed")
        assert reason in answer.json()["detail"]

    @pytest.mark.parametrize("body", [[], "text", 7, None, True])
    def test_answer_json_that_is_no_object(self, admin, body):
        answer = send(admin, json.dumps(body))

        assert (answer.status_code, answer.json()["type"][-8:]) == (400, "/invalid")

    def test_answer_a_body_of_3_mb(self, admin):
        answer = send(admin, json.dumps({"name": "x" * 3_000_000}))

        assert (answer.status_code, answer.json()["type"][-15:]) == (413, "/body-too-large")

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"]
    )
    def test_answer_bodies_of_another_kind(self, admin, content_type):
        assert send(admin, b"name=x", content_type).status_code == 415

    def test_answer_a_wish_for_another_form(self, admin):
        assert admin.get(PROJECTS, headers={"Accept": "text/csv"}).status_code == 406

    @pytest.mark.parametrize(
        "query",
        [
            "cursor=x",
            "cursor=%00",
            "limit=-1",
            "limit=x",
            "limit=" + "9" * 5000,
            "project=%00",
            "cursor=cD1nYXJiYWdl",
            "cursor=cD0lMDA%3D",
        ],
    )
    def test_never_become_a_5xx_through_a_query(self, admin, query):
        answers = [admin.get(f"{path}?{query}").status_code for path in (PROJECTS, "/api/v1/workloads")]

        assert max(answers) < 500

    def test_of_our_own_making_say_nothing_but_their_id(self, acme, monkeypatch):
        client = make.client(acme)
        client.raise_request_exception = False
        monkeypatch.setattr("django.conf.settings.IDEMPOTENCY_KEPT", "no duration")

        answer = client.post(PROJECTS, {"name": "x"}, format="json", headers={"Idempotency-Key": "k"})

        assert (answer.status_code, answer.json()["detail"]) == (500, "It was logged under this request_id.")
        assert "no duration" not in answer.content.decode()

    def test_answer_a_host_that_is_not_ours(self):
        assert Client().get("/api/v1/me", headers={"Host": "evil.example"}).status_code == 400

    def test_are_called_by_their_class(self):
        class PlanLimit(Problem):
            """Your plan does not allow more. Ever."""

        assert (PlanLimit.slug(), PlanLimit.title()) == ("plan-limit", "Your plan does not allow more. Ever")


@pytest.mark.django_db
class TestRequestId:
    def test_is_the_callers_if_it_is_a_plain_one(self, admin):
        assert admin.get(PROJECTS, headers={"X-Request-ID": "abc-123"})["X-Request-ID"] == "abc-123"

    @pytest.mark.parametrize("asked", ["", "a b", "x" * 81, "<script>"])
    def test_is_made_where_the_callers_is_none(self, admin, asked):
        given = admin.get(PROJECTS, headers={"X-Request-ID": asked})["X-Request-ID"]

        assert (given != asked, len(given)) == (True, 32)

    def test_stands_in_the_log(self, admin, caplog):
        with caplog.at_level(logging.INFO, "carbon_site.requests"):
            admin.get(PROJECTS, headers={"X-Request-ID": "abc-123"})

        assert any(
            record.msg["request_id"] == "abc-123" for record in caplog.records if isinstance(record.msg, dict)
        )


@pytest.mark.django_db
class TestDocuments:
    def test_show_the_schema_and_the_docs_without_a_key(self, client):
        schema, docs = client.get("/api/schema/"), client.get("/api/docs/")

        assert (schema.status_code, docs.status_code) == (200, 200)
        assert b"cdn" not in docs.content.lower()

    def test_let_the_dashboard_call_from_its_own_origin(self, client):
        asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}

        assert (
            client.options(PROJECTS, headers=asked)["Access-Control-Allow-Origin"] == "http://localhost:3000"
        )
        assert not client.options(PROJECTS, headers=asked | {"Origin": "http://evil.example"}).has_header(
            "Access-Control-Allow-Origin"
        )
