"""The sandbox as OpenAI: its lists, and its shapes. The `openai` package's models and the samples are the judges."""

import json
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import BaseModel

from carbon_site.sandbox.openai.usage import FAMILIES
from tests.sandbox import Sandbox, seconds

SAMPLES = Path(__file__).parent / "samples" / "openai"
MODELS = "openai.types.admin.organization"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
YESTERDAY = seconds(NOW) - 36 * 3600
KEY = ["project_id", "user_id", "api_key_id"]
NUMBERS, STRINGS = "acme", "globex"  # accounts, by how their amounts are written


@pytest.fixture(autouse=True)
def now(sandbox: Sandbox) -> None:
    sandbox.clock(NOW)
    sandbox.heal()


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


def unknown(parsed) -> set[str]:
    """The members of an answer that the package's model does not know."""
    if isinstance(parsed, list):
        return set().union(*map(unknown, parsed))
    if not isinstance(parsed, BaseModel):
        return set()
    return set(parsed.model_extra or {}).union(*(unknown(value) for _, value in parsed))


def shape(said):
    """The members of an object, each with its type; the numbers of JSON are one type."""
    if isinstance(said, dict):
        return {name: shape(value) for name, value in said.items()}
    return float if type(said) is int else type(said)


class TestProjects:
    @pytest.mark.parametrize(("asked", "statuses"), [("false", {"active"}), ("true", {"active", "archived"})])
    def test_leave_out_the_archived(self, sandbox, asked, statuses):
        listed = sandbox.ask("projects", include_archived=asked).json()["data"]

        assert {project["status"] for project in listed} == statuses

    def test_are_read_one_by_one(self, sandbox):
        first = sandbox.ask("projects", limit=1).json()

        second = sandbox.ask("projects", limit=1, after=first["last_id"]).json()

        assert (first["has_more"], second["first_id"] != first["last_id"]) == (True, True)

    def test_own_the_keys_of_the_usage(self, sandbox):
        found = sandbox.rows("usage/completions", start_time=YESTERDAY, bucket_width="1h", group_by=KEY)

        projects = [project["id"] for project in sandbox.ask("projects").json()["data"]]
        keys = [sandbox.ask(f"projects/{project}/api_keys").json()["data"] for project in projects]

        owned = {
            (project, key["id"]) for project, listed in zip(projects, keys, strict=True) for key in listed
        }
        assert owned == {(row["project_id"], row["api_key_id"]) for row in found}


class TestPackageModels:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_take_every_usage_page(self, sandbox, family):
        every = list(FAMILIES[family].askable.dimensions)
        model = f"Usage{family.title().replace('_', '')}Response"

        said = sandbox.ask(f"usage/{family}", start_time=YESTERDAY, bucket_width="1h", group_by=every).json()

        judge = getattr(import_module(f"{MODELS}.usage_{family}_response"), model)
        parsed = judge.model_validate(said, strict=True)
        assert (len(parsed.data), unknown(parsed)) == (24, set())

    @pytest.mark.parametrize("group_by", [None, ["line_item", "project_id", "api_key_id", "api_source"]])
    def test_take_a_page_of_costs(self, sandbox, group_by):
        model = import_module(f"{MODELS}.usage_costs_response").UsageCostsResponse

        said = sandbox.ask("costs", NUMBERS, start_time=YESTERDAY, group_by=group_by).json()

        assert unknown(model.model_validate(said, strict=True)) == set()

    def test_take_projects_and_their_keys(self, sandbox):
        project_model = import_module(f"{MODELS}.project").Project
        key_model = import_module(f"{MODELS}.projects.project_api_key").ProjectAPIKey

        projects = sandbox.ask("projects", include_archived="true").json()["data"]
        keys = [
            key for each in projects for key in sandbox.ask(f"projects/{each['id']}/api_keys").json()["data"]
        ]

        assert unknown([project_model.model_validate(each, strict=True) for each in projects]) == set()
        assert unknown([key_model.model_validate(each, strict=True) for each in keys]) == set()


ROWS = {
    "completions_page1": ("usage/completions", [*KEY, "model", "batch", "service_tier"]),
    "completions_ungrouped": ("usage/completions", None),
    "embeddings": ("usage/embeddings", [*KEY, "model"]),
    "moderations": ("usage/moderations", [*KEY, "model"]),
    "file_search_calls": ("usage/file_search_calls", [*KEY, "vector_store_id"]),
    "web_search_calls": ("usage/web_search_calls", [*KEY, "model", "context_level"]),
    "costs": ("costs", ["line_item", "project_id", "api_key_id"]),
    "costs_numeric_value": ("costs", None),
}


class TestSamples:
    @pytest.mark.parametrize("name", ROWS)
    def test_have_the_shape_of_our_rows(self, sandbox, name):
        path, group_by = ROWS[name]
        hours = {} if path == "costs" else {"bucket_width": "1h"}

        said = sandbox.rows(
            path, STRINGS if name == "costs" else NUMBERS, start_time=YESTERDAY, group_by=group_by, **hours
        )

        expected = shape(sample(name)["data"][0]["results"][0])
        assert any(expected.items() <= shape(row).items() for row in said)

    def test_have_the_shape_of_our_bare_rows(self, sandbox):
        old = {"models": "gpt-3.5-turbo-0125", "group_by": "model", "bucket_width": "1h"}

        row = sandbox.rows("usage/completions", start_time=YESTERDAY, **old)[0]

        expected = sample("completions_minimal_row")["data"][0]["results"][0]
        assert shape(row) == shape(expected) | {"api_source": type(None)}

    def test_have_the_shape_of_our_costs_by_user(self, sandbox):
        row = sandbox.rows("costs", STRINGS, start_time=YESTERDAY, group_by=["user_id", "line_item"])[0]

        assert row.keys() >= sample("costs_user_grouped")["data"][0]["results"][0].keys()

    def test_have_the_shape_of_our_projects(self, sandbox):
        said = sandbox.ask("projects", include_archived="true").json()

        assert shape(said["data"][-1]) == shape(sample("projects")["data"][1])
        assert said.keys() == sample("projects").keys()


KEYS = [
    ("sk-admin-nobody-0000", "costs", "error_401_invalid_key"),
    ("sk-admin-unscoped-acme", "costs", "error_403_missing_scopes_string"),
    ("sk-admin-unscoped401-acme", "costs", "error_401_missing_scopes_object"),
    ("sk-admin-usageonly-acme", "projects", "error_403_missing_scopes_management"),
    ("sk-admin-quota-acme", "costs", "error_429_no_retry_after"),
    ("sk-proj-acme", "costs", "error_403_missing_scopes_string"),
    ("sk-svcacct-acme", "projects", "error_403_missing_scopes_management"),
]
COSTS = [
    ({"limit": 366}, "error_400_limit"),
    ({"group_by": "api_key_id", "start_time": 1764979200 - 86_400}, "error_400_api_key_floor"),
]
FAULTS = [("throttled", "error_429"), ("quota", "error_429_no_retry_after"), ("broken", "error_500")]


class TestErrorSamples:
    @pytest.mark.parametrize(("key", "path", "name"), KEYS)
    def test_are_what_a_key_is_told(self, sandbox, key, path, name):
        self.expect(name, sandbox.ask(path, key=key))

    @pytest.mark.parametrize(("query", "name"), COSTS)
    def test_are_what_a_query_of_costs_is_told(self, sandbox, query, name):
        self.expect(name, sandbox.ask("costs", **{"start_time": YESTERDAY} | query))

    @pytest.mark.parametrize(("kind", "name"), FAULTS)
    def test_are_what_a_fault_says(self, sandbox, kind, name):
        sandbox.fault(kind)

        self.expect(name, sandbox.ask("costs", start_time=YESTERDAY))

    def expect(self, name, answer):
        assert (answer.status_code, answer.json()) == (int(name.split("_")[1]), sample(name))
