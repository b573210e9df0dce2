"""The sandbox as OpenAI: as strict as the real one, and with sums that hold."""

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from carbon_site.sandbox.traffic import DATA
from tests.sandbox import Sandbox, seconds

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)  # a Wednesday
MIDNIGHT = seconds(NOW) - 45_000
TUESDAY = {"start_time": MIDNIGHT - 86_400, "end_time": MIDNIGHT, "bucket_width": "1h"}
FULL = ["project_id", "user_id", "api_key_id", "model", "batch", "service_tier"]
RETENTION = ("_30m_tokens", "_12h_tokens")
NUMBERS, STRINGS = "acme", "globex"  # accounts, by how their amounts are written
GPT_5_2 = "gpt-5.2-2025-12-11"


@pytest.fixture(autouse=True)
def now(sandbox: Sandbox) -> None:
    sandbox.clock(NOW)


def ask(sandbox, **query):
    return sandbox.ask("usage/completions", **TUESDAY | query)


def rows(sandbox, **query) -> list[dict[str, Any]]:
    return sandbox.rows("usage/completions", **TUESDAY | query)


def counted(found) -> Counter[str]:
    """The sum of every counter, but for the retention of cache writes, which a mixed row leaves out.

    What a bare row does not say of its tokens: they are text, and none is of a cache.
    """
    whole: Counter[str] = Counter()
    for row in found:
        plain = {"input_uncached_tokens": "input_tokens", "input_text_tokens": "input_tokens"}
        plain |= {"output_text_tokens": "output_tokens"}
        said = {name: row[other] for name, other in plain.items() if other in row} | row
        whole.update({name: n for name, n in said.items() if type(n) is int and not name.endswith(RETENTION)})
    return whole


def dollars(found) -> Decimal:
    return sum((Decimal(row["amount"]["value"]) for row in found), Decimal())


class TestKeys:
    def test_are_needed(self, sandbox):
        assert sandbox.http.get("/openai/v1/organization/costs?start_time=0").status_code == 401

    def test_of_one_account_see_the_same(self, sandbox):
        second = sandbox.key("acme_2")

        assert ask(sandbox, key=second).json() == ask(sandbox).json()

    def test_for_usage_only_read_usage(self, sandbox):
        key = sandbox.key("acme", "usageonly")

        assert (ask(sandbox, key=key).status_code, sandbox.ask("projects", key=key).status_code) == (200, 403)


WRONG = {
    "an unknown parameter": ({"color": "red"}, "color"),
    "a filter of another family": ({"sizes": "256x256"}, "sizes"),
    "an unknown dimension": ({"group_by": ["model", "color"]}, "group_by"),
    "an unknown width": ({"bucket_width": "2h"}, "bucket_width"),
    "a limit that is too large": ({"limit": 169}, None),
    "no buckets at all": ({"limit": 0}, None),
    "no start": ({"start_time": None}, None),
    "a start between two hours": ({"start_time": MIDNIGHT - 3601}, "start_time"),
    "an end between two hours": ({"end_time": MIDNIGHT + 1}, "end_time"),
    "a start that is a date": ({"start_time": "2026-11-24"}, "start_time"),
    "an end at the start": ({"end_time": MIDNIGHT - 86_400}, "end_time"),
    "a list where one value goes": ({"limit": [1, 2]}, "limit"),
    "a batch that is neither": ({"batch": "maybe"}, "batch"),
    "a cursor nobody gave": ({"page": "page_AAAA"}, "page"),
    "a cursor that is a number": ({"page": "page_MTIz"}, "page"),
}


class TestStrictness:
    @pytest.mark.parametrize("wrong", WRONG)
    def test_refuses(self, sandbox, wrong):
        query, param = WRONG[wrong]

        answer = ask(sandbox, **query)

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)

    @pytest.mark.parametrize("query", [{"bucket_width": "1h"}, {"group_by": ["user_id", "project_id"]}])
    def test_refuses_costs(self, sandbox, query):
        assert sandbox.ask("costs", start_time=MIDNIGHT, **query).status_code == 400

    @pytest.mark.parametrize("path", ["usage/telepathy", "users", "projects/proj_nowhere/api_keys"])
    def test_knows_nothing_else(self, sandbox, path):
        assert sandbox.ask(path).status_code == 404

    @pytest.mark.parametrize(("width", "default"), [("1d", 7), ("1h", 24), ("1m", 60)])
    def test_counts_buckets_not_rows(self, sandbox, width, default):
        fortnight = {"start_time": MIDNIGHT - 14 * 86_400, "bucket_width": width}

        page = ask(sandbox, **fortnight, group_by=FULL).json()

        assert (len(page["data"]), page["has_more"]) == (default, True)


class TestCursor:
    CHANGES = [
        {"group_by": "model"},
        {"limit": 3},
        {"end_time": MIDNIGHT + 3600},
        {"models": GPT_5_2},
        {"account": "globex"},
    ]

    @pytest.mark.parametrize("change", CHANGES)
    def test_belongs_to_its_query(self, sandbox, change):
        cursor = ask(sandbox, limit=2).json()["next_page"]

        assert ask(sandbox, **{"limit": 2, "page": cursor} | change).status_code == 400

    def test_leads_to_each_bucket_once_and_in_order(self, sandbox):
        starts, page = [], {"has_more": True, "next_page": None}

        while page["has_more"]:
            page = ask(sandbox, limit=7, page=page["next_page"]).json()
            starts += [bucket["start_time"] for bucket in page["data"]]

        assert starts == list(range(MIDNIGHT - 86_400, MIDNIGHT, 3600))


class TestRows:
    def test_are_grouped_however_it_is_asked_for(self, sandbox):
        ways = [{"group_by": FULL}, {"group_by[]": FULL}, {"group_by": ",".join(FULL)}]

        bare, bracketed, joined = (rows(sandbox, **way) for way in ways)

        assert bare == bracketed == joined

    def test_have_null_dimensions_unless_grouped(self, sandbox):
        row = rows(sandbox, group_by=["model"])[0]

        assert row["model"] is not None
        assert {row[name] for name in FULL if name != "model"} == {None}

    @pytest.mark.parametrize("group_by", [FULL, ["model"], ["batch"], ["project_id", "api_source"]])
    def test_sum_to_the_ungrouped(self, sandbox, group_by):
        assert counted(rows(sandbox, group_by=group_by)) == counted(rows(sandbox))

    @pytest.mark.parametrize(("width", "limit"), [("1m", 1440), ("1d", 1)])
    def test_sum_to_the_same_at_every_width(self, sandbox, width, limit):
        assert counted(rows(sandbox, bucket_width=width, limit=limit)) == counted(rows(sandbox))

    def test_split_their_input_exactly(self, sandbox):
        for row in rows(sandbox, group_by=["model"]):
            classes = [row.get(f"input_{name}_tokens") for name in ("cached", "cache_write", "uncached")]
            assert None in classes or sum(classes) == row["input_tokens"]

    def test_differ_in_what_they_say(self, sandbox):
        said = {row["model"]: row.keys() for row in rows(sandbox, group_by=["model"])}

        assert "input_cached_tokens" not in said["gpt-3.5-turbo-0125"]
        assert "input_cache_write_tokens" in said["gpt-4o-2024-08-06"]
        assert "input_cache_write_12h_tokens" not in said["gpt-4o-2024-08-06"]
        assert "input_cache_write_12h_tokens" in said[GPT_5_2]

    def test_are_filtered(self, sandbox):
        wanted = {"models": ["gpt-5-mini-2025-08-07"], "batch": "true"}

        found = rows(sandbox, **wanted, group_by=["model", "batch"])

        assert {(row["model"], row["batch"]) for row in found} == {("gpt-5-mini-2025-08-07", True)}

    def test_are_none_in_an_hour_when_nobody_calls(self, sandbox):
        sunday = seconds(datetime(2026, 11, 22, 2, tzinfo=UTC))

        page = ask(sandbox, start_time=sunday, end_time=sunday + 3 * 3600).json()

        assert [bool(bucket["results"]) for bucket in page["data"]] == [True, False, False]

    def test_are_sums_of_recorded_requests(self, sandbox):
        with gzip.open(DATA / "azure_2023_code.csv.gz", "rt") as file:
            recorded = {(int(row["input_tokens"]), int(row["output_tokens"])) for row in csv.DictReader(file)}

        minutes = rows(sandbox, bucket_width="1m", limit=1440, models="ft:davinci-002:atelier::Bq3XkT7p")

        lone = {
            (row["input_tokens"], row["output_tokens"]) for row in minutes if row["num_model_requests"] == 1
        }
        assert len(lone) > 50
        assert lone <= recorded


class TestTruth:
    FAMILIES = ["completions", "embeddings", "moderations", "web_search_calls", "file_search_calls"]

    @pytest.mark.parametrize("family", FAMILIES)
    def test_is_the_sum_of_all_pages(self, sandbox, family):
        start = MIDNIGHT - 2 * 86_400

        truth = sandbox.truth("acme", start)["usage"][family]["total"]

        pages = {"start_time": start, "bucket_width": "1h", "limit": 20, "group_by": "api_key_id"}
        assert counted(sandbox.rows(f"usage/{family}", **pages)) == counted([truth])

    @pytest.mark.parametrize("kept", ["30m", "12h"])
    def test_knows_how_long_cache_writes_are_kept(self, sandbox, kept):
        name = f"input_cache_write_{kept}_tokens"

        truth = sandbox.truth("acme", TUESDAY["start_time"], MIDNIGHT)["usage"]["completions"]["total"]

        assert sum(row[name] for row in rows(sandbox, models=GPT_5_2)) == truth[name] > 0

    def test_is_what_costs_come_to(self, sandbox):
        start = MIDNIGHT - 9 * 86_400

        cost = dollars(sandbox.rows("costs", STRINGS, start_time=start, limit=4))

        assert cost == Decimal(sandbox.truth(STRINGS, start)["costs_usd"])


class TestCosts:
    @pytest.mark.parametrize(("account", "written"), [(NUMBERS, float), (STRINGS, str)])
    def test_are_strings_for_some_and_numbers_for_others(self, sandbox, account, written):
        found = sandbox.rows("costs", account, start_time=MIDNIGHT, group_by="line_item")

        assert {type(row["amount"]["value"]) for row in found} == {written}

    def test_by_line_item_sum_to_the_whole(self, sandbox):
        by_item = sandbox.rows("costs", STRINGS, start_time=MIDNIGHT, group_by=["line_item", "api_key_id"])

        assert dollars(by_item) == dollars(sandbox.rows("costs", STRINGS, start_time=MIDNIGHT))

    def test_are_half_for_what_waits_and_double_for_what_may_not(self, sandbox):
        output = {"line_items": "gpt-5-mini-2025-08-07, output", "group_by": ["line_item", "api_key_id"]}

        found = sandbox.rows("costs", STRINGS, start_time=MIDNIGHT, **output)

        prices = {dollars([row]) / row["quantity"] for row in found}
        assert prices == {Decimal("0.000001"), Decimal("0.000004")}

    def test_of_one_line_item_are_found_by_its_whole_name(self, sandbox):
        name = f"{GPT_5_2}, output"

        found = sandbox.rows("costs", start_time=MIDNIGHT, line_items=name, group_by="line_item")

        assert [(row["line_item"], row["quantity_unit"]) for row in found] == [(name, "tokens")]
