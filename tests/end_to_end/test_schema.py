"""The API keeps to its own schema, whatever it is sent: no 5xx, no status and no shape that is not documented."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from projects import clerk
from projects.models import Organization
from tests import make
from tests.end_to_end.test_every_route import make_receipt

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
V1 = "/api/v1/"
PARTY = "https://app.example"
schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
schema.app = get_wsgi_application()
OPERATIONS = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def _one_connection(db: None, settings: Any) -> Iterator[None]:
    """A server gives its connection back after each request, and with it what the test has made."""
    settings.ADDRESS_REQUESTS_PER_MINUTE = settings.ADDRESS_FAILED_CREDENTIALS_PER_MINUTE = 10**9
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def credentials(acme, sandbox, settings) -> Iterator[list[str]]:
    """A key of an admin, and a session of one: only people make keys."""
    settings.CLERK_ISSUER, settings.CLERK_JWKS_URL = sandbox.clerk, ""
    settings.CLERK_AUTHORIZED_PARTIES = [PARTY]
    clerk.keys.cache_clear()
    Organization.objects.filter(pk=acme.pk).update(directory_id="org_clerk1")
    choice = {"id": "org_clerk1", "slg": "acme", "rol": "admin"}
    yield [str(make.api_key(acme).secret), sandbox.sign({"v": 2, "azp": PARTY, "o": choice, "exp": 2**33})]
    clerk.keys.cache_clear()


@pytest.fixture
def there(acme, sandbox, settings) -> dict[str, Any]:
    """What there is, by how a request names it: by the address that has its id, or by its own name."""
    settings.OPENAI_BASE_URL = sandbox.openai
    project = make.project(acme)
    connection = make.connection(project, account="org-other", api_key=sandbox.key("other"))
    make.record(connection, make.usage_row())
    return {
        "api-keys": make.api_key(acme).row.pk,
        "billing/periods": make.period(acme).pk,
        "connections": connection.pk,
        "jobs": make.job(acme).pk,
        "projects": project.pk,
        "receipts": make_receipt(acme).pk,
        "workloads": make.workload(project).pk,
        "api_key": sandbox.key("acme"),
        "connection": connection.pk,
        "project": project.pk,
        "rules": [{"provider": "openai"}],
        "version": "2026.11",
    }


def speak_of(there: dict[str, Any], case: Case[Any]) -> None:
    """Let a request name what there is, and no cursor, which nobody can make up."""
    case.query.pop("cursor", None)
    named = there | {"id": there.get(case.path.removeprefix(V1).split("/{")[0])}
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            part.update({name: named[name] for name in part.keys() & named.keys()})


def ask(operation: Any, credentials: list[str], there: dict[str, Any], *, times: int) -> set[int]:
    """Send what fits the schema and what does not, by turns about what there is; the statuses of the answers."""
    answers = set()

    @hypothesis.settings(
        max_examples=times,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode]),
        st.sampled_from(credentials),
        st.booleans(),
    )
    def keeps_to_the_schema(case: Case[Any], credential: str, is_about_what_is_there: bool) -> None:
        if is_about_what_is_there:
            speak_of(there, case)
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {credential}"}, checks=CHECKS)
        answers.add(answer.status_code)

    keeps_to_the_schema()
    return answers


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
class TestEveryOperation:
    def test_keeps_to_the_schema(self, operation, credentials, there):
        assert ask(operation, credentials, there, times=5)

    @pytest.mark.proof
    def test_keeps_to_the_schema_at_length(self, operation, credentials, there):
        answers = ask(operation, credentials, there, times=200)

        assert min(answers) < 300, "none was accepted"


class TestIds:
    @pytest.mark.parametrize("word", [[], {}, True, 7, "prj_", "wkl_01h455vb4pex5vsknk084sn02q"])
    def test_of_another_kind_are_refused(self, admin, word):
        body = {"project": word, "name": "Batch", "rules": [{"provider": "openai"}]}

        answer = admin.post(f"{V1}workloads", body, format="json")

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == ["project"]
