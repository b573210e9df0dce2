"""Figures over REST: parts equal the whole, hours equal days, and bounds are never added."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from telemetry.models import TelemetryEvent
from tests import make
from tests.emissions.examples import EXAMPLES

EMISSIONS, USAGE = "/api/v1/emissions/summary", "/api/v1/usage/summary"
SPAN = {"from": "2026-11-01", "to": "2026-11-25"}
GROUPS = ["project", "workload", "connection", "provider", "model", "tier", "service_tier"]
COUNTS = ["input_uncached", "cache_read", "cache_write", "output", "requests"]


@pytest.fixture
def source(acme):
    return make.connection(make.project(acme))


@pytest.fixture
def history(acme, source):
    """Two projects, three models, two workloads, six hours on each of three days."""
    make.workload(source.project, "Large", rules=[{"model": "gpt-4o*"}])
    other = make.connection(make.project(acme, "Other"), account="org-other", name="Second")
    make.record(source, *usage_of("org-acme"))
    make.record(other, *usage_of("org-other"))


def usage_of(account):
    return [
        make.usage_row(
            account,
            starts_at=make.NOW - timedelta(days=1 + day, hours=hour),
            model=model,
            service_tier=["default", "priority"][hour % 2],
            input_uncached=1000 + 7 * hour,
            cache_read=333 * day,
            output=50 + day,
            requests=3,
        )
        for day in range(3)
        for hour in range(6)
        for model in ("gpt-4o", "gpt-5-nano", "a-model-of-nobody")
    ]


def ask(client, address=EMISSIONS, **query):
    answer = client.get(address, SPAN | query)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def added(rows, *path) -> float:
    """The sum of one figure over rows."""
    total = 0
    for row in rows:
        for name in path:
            row = row[name]
        total += row or 0
    return round(total, 6)


@pytest.mark.django_db
class TestSummary:
    @pytest.mark.parametrize("group", GROUPS)
    def test_of_parts_equals_the_whole(self, admin, history, group):
        (whole,) = ask(admin)["results"]

        parts = ask(admin, group_by=group)["results"]

        assert len(parts) > 1 or group == "provider"
        for name in COUNTS:
            assert added(parts, name) == whole[name] or whole[name] is None
        for statistic in ("central", "mean"):
            assert added(parts, "co2e_g", statistic) == whole["co2e_g"][statistic]
        assert added(parts, "energy_wh") == whole["energy_wh"]

    @pytest.mark.parametrize("granularity", ["hour", "day", "week", "month"])
    def test_of_steps_equals_the_total(self, admin, history, granularity):
        (whole,) = ask(admin)["results"]

        steps = ask(admin, granularity=granularity)["results"]

        assert added(steps, "co2e_g", "mean") == whole["co2e_g"]["mean"]
        assert added(steps, "output") == whole["output"]
        assert [step["starts_at"] for step in steps] == sorted(step["starts_at"] for step in steps)

    def test_has_bounds_that_do_not_add(self, admin, history):
        (whole,) = ask(admin)["results"]

        parts = ask(admin, group_by="model")["results"]

        assert whole["co2e_g"]["high"] < added(parts, "co2e_g", "high")
        assert whole["co2e_g"]["low"] > added(parts, "co2e_g", "low")

    def test_meets_the_worked_bounds(self, admin, acme):
        example = next(each for name, each in EXAMPLES.items() if name.startswith("portfolio"))
        project = make.project(acme)
        for place, row in enumerate(example["rows"]):
            source = make.connection(project, provider=row["provider"], account=f"org-{place}")
            region = next(iter(row["signal"].values()), None)
            usage = make.usage_row(
                model=row["model"],
                service_tier=row["service_tier"],
                region=region,
                requests=row["requests"],
                **row["tokens"],
            )
            make.record(source, usage)

        (whole,) = ask(admin)["results"]

        total = example["total"]
        assert whole["co2e_g"] == {
            name: total[f"{name}_ug"] / 1_000_000 for name in ("low", "central", "high", "mean")
        }

    def test_answers_for_parts_of_a_day_from_hours(self, admin, history):
        noon = {"from": "2026-11-24T10:00:00Z", "to": "2026-11-24T12:00:00Z"}

        (part,) = ask(admin, **noon)["results"]

        assert part["requests"] == 2 * 2 * 3 * 3

    def test_is_filtered(self, admin, history, source):
        rows = ask(admin, model="gpt-4o", connection=source.pk, group_by="model,workload,provider,project")[
            "results"
        ]

        assert [(row["model"], row["requests"]) for row in rows] == [("gpt-4o", 54)]

    def test_shows_null_where_no_provider_says(self, admin, source):
        make.record(source, make.usage_row(output=5, input_uncached=9))

        (row,) = ask(admin, USAGE)["results"]

        assert (row["cache_read"], row["requests"], row["cache_hit_ratio"], row["output"]) == (
            None,
            None,
            None,
            5,
        )

    def test_says_how_much_came_from_the_cache(self, admin, source):
        make.record(
            source, make.usage_row(input_uncached=60, cache_read=30, cache_write=10, output=1, requests=1)
        )

        assert ask(admin, USAGE)["results"][0]["cache_hit_ratio"] == 0.3

    def test_lists_what_it_does_not_know_or_leaves_out(self, admin, source, history):
        make.record(
            source,
            make.usage_row(family="embeddings", model="text-embedding-3-small", input_uncached=7, requests=2),
        )

        said = ask(admin)
        (unmapped,) = said["coverage"]["unmapped_models"]
        (left_out,) = said["coverage"]["not_estimated"]

        assert (unmapped["model"], 0 < unmapped["share"] < 1) == ("a-model-of-nobody", True)
        assert left_out == {"family": "embeddings", "tokens": 7, "requests": 2}
        assert said["factor_versions"] == ["2026.11"]

    def test_without_usage_is_empty(self, admin):
        said = ask(admin)

        assert (said["results"], said["factor_versions"], said["coverage"]["unmapped_models"]) == ([], [], [])

    def test_shows_nothing_of_others(self, admin, history):
        rival = make.client(make.organization("rival"))

        assert ask(rival)["results"] == []

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"group_by": "color"}, "group_by"),
            ({"group_by": ",".join(GROUPS[:5])}, "group_by"),
            ({"granularity": "minute"}, "granularity"),
            ({"timezone": "Europe/Berlin"}, "timezone"),
            ({"from": "2026-11-26"}, "to"),
            ({"from": "yesterday"}, "from"),
            ({"from": "2026-11-01T00:00:00"}, "from"),
            ({"from": "2026-11-01T00:00:00 01:00"}, "from"),
            ({"range": "7d"}, ""),
            ({"project": "search"}, "project"),
            ({"projct": "prj_1"}, "projct"),
            ({"to": "0001-01-05"}, "to"),
        ],
    )
    def test_refuses_what_does_not_fit(self, admin, query, field):
        answer = admin.get(EMISSIONS, SPAN | query)

        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)

    @pytest.mark.parametrize("word", ["7d", "30d", "90d", "365d", "mtd", "last_month"])
    def test_knows_ranges_by_a_word(self, admin, history, word):
        with CaptureQueriesContext(connection) as asked:
            answer = admin.get(EMISSIONS, {"range": word})

        assert answer.status_code == 200
        assert any("emissions_usageday" in query["sql"] for query in asked)
        assert not any("emissions_usagehour" in query["sql"] for query in asked)


@pytest.mark.django_db
class TestRouting:
    def test_goes_to_the_first_workload_that_claims(self, admin, source):
        project = source.project
        first = make.workload(
            project, "First", rules=[{"model": "gpt-4o*", "provider": "openai"}], priority=1
        )
        second = make.workload(project, "Second", rules=[{"model": "gpt-*"}], priority=2)
        third = make.workload(
            project, "Third", rules=[{"api_key": "key_1"}, {"provider_project": "proj_1"}], priority=3
        )
        rows = {
            "gpt-4o-mini": first, "gpt-5": second, "o3": third, "o4": third, "other": None, "gpt_4o": None, None: None,
        }  # fmt: skip
        columns = {"o3": {"api_key": "key_1"}, "o4": {"provider_project": "proj_1"}}

        make.record(
            source, *[make.usage_row(model=model, output=1, **columns.get(model, {})) for model in rows]
        )

        routed = dict(TelemetryEvent.unscoped.values_list("model", "workload_id"))
        catch_all = project.workloads.get(is_catch_all=True)
        assert routed == {model: (workload or catch_all).pk for model, workload in rows.items()}


@pytest.mark.django_db
class TestEvents:
    def test_are_the_ledger(self, admin, source):
        make.record(source, make.usage_row(output=1, requests=1))
        make.record(source, make.usage_row(output=2, requests=1))

        (now,) = admin.get("/api/v1/usage/events", SPAN).json()["results"]
        both = admin.get("/api/v1/usage/events", SPAN | {"include_superseded": "true"}).json()["results"]

        assert (now["output"], now["revision"], now["superseded_at"]) == (2, 2, None)
        assert [row["output"] for row in both] == [2, 1]

    def test_stand_as_they_stood(self, admin, source):
        make.record(source, make.usage_row(output=1))
        then = TelemetryEvent.unscoped.get().observed_at.isoformat().replace("+00:00", "Z")
        make.record(source, make.usage_row(output=2))

        (row,) = admin.get("/api/v1/usage/events", SPAN | {"as_of": then}).json()["results"]

        assert row["output"] == 1


@pytest.mark.django_db
class TestEstimate:
    def test_meets_the_worked_numbers(self, client):
        example = next(each for name, each in EXAMPLES.items() if name.startswith("portfolio"))
        rows = [
            {"provider": row["provider"], "model": row["model"], "requests": row["requests"], **row["tokens"]}
            | {"service_tier": row["service_tier"], "region": next(iter(row["signal"].values()), None)}
            for row in example["rows"]
        ]

        said = client.post(
            "/api/v1/emissions/estimate", {"rows": rows}, content_type="application/json"
        ).json()

        total = example["total"]
        assert said["total"]["co2e_g"] == {
            name: total[f"{name}_ug"] / 1_000_000 for name in ("low", "central", "high", "mean")
        }
        assert said["factor_version"] == "2026.11"

    def test_says_what_is_not_estimated_and_what_is_not_known(self, client):
        rows = [
            {"model": "text-embedding-3-small", "input_uncached": 9},
            {"model": "a-model-of-nobody", "output": 9},
        ]

        said = client.post(
            "/api/v1/emissions/estimate", {"rows": rows}, content_type="application/json"
        ).json()["results"]

        assert [(row["kind"], row["co2e_g"] is None, row["is_mapped"]) for row in said] == [
            ("embedding", True, True),
            ("text", False, False),
        ]

    @pytest.mark.parametrize(
        "rows",
        [
            [],
            [{"model": "x"}] * 1001,
            [{"output": 1}],
            [{"model": "x", "output": -1}],
            [{"model": "x", "cache_write_long": 1}],
        ],
        ids=["none", "too many", "no model", "negative", "a part without its whole"],
    )
    def test_refuses_what_does_not_fit(self, client, rows):
        answer = client.post("/api/v1/emissions/estimate", {"rows": rows}, content_type="application/json")

        assert answer.status_code == 400


@pytest.mark.django_db
class TestFactors:
    def test_are_published_with_their_hash(self, client):
        import hashlib

        (listed,) = client.get("/api/v1/factors").json()["results"]
        whole = client.get(f"/api/v1/factors/{listed['version']}")

        assert hashlib.sha256(whole.content).hexdigest() == listed["sha256"]
        assert client.get("/api/v1/factors/none").status_code == 404

    def test_say_which_model_counts_as_what(self, client):
        rows = client.get("/api/v1/models").json()["results"]

        assert rows[-1]["evidence"] == 6
        assert {row["tier"] for row in rows} >= {"frontier", "large", "size"}
