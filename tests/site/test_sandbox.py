"""The sandbox as a whole: its page, its clock, its memory, and that faults do what they say."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.sandbox import Sandbox, seconds

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
MORNING = seconds(NOON) - 6 * 3600
TODAY = {"start_time": seconds(NOON) - 12 * 3600, "end_time": None, "bucket_width": "1d"}


@pytest.fixture(autouse=True)
def noon(sandbox: Sandbox) -> None:
    sandbox.clock(NOON)
    sandbox.heal()


def ask(sandbox, account, path="usage/completions", **query) -> httpx.Response:
    hours = {"start_time": MORNING, "end_time": seconds(NOON), "bucket_width": "1h"}
    return sandbox.ask(path, account, **hours | query)


def requests_by_hour(sandbox, account, **query) -> list[int]:
    buckets = ask(sandbox, account, **query).json()["data"]
    return [sum(row["num_model_requests"] for row in bucket["results"]) for bucket in buckets]


class TestFrontPage:
    def test_says_what_this_is_and_where_it_is_from(self, sandbox):
        page = sandbox.http.get("/").text

        for words in (
            "not the real world",
            "Sixty days",
            "one\nrecorded hour",
            "Splitwise",
            "CC BY 4.0",
            "Apache-2.0",
        ):
            assert words in page

    def test_is_served_without_django(self):
        check = "import sys, carbon_site.sandbox.__main__; sys.exit('django' in sys.modules)"

        assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


class TestClock:
    def test_stands_still_when_it_is_set(self, sandbox):
        assert sandbox.http.get("/clock").json() == {"now": "2026-11-25T12:00:00Z", "frozen": True}

    def test_moves_when_it_is_told_to(self, sandbox):
        sandbox.clock(advance=90)

        assert sandbox.http.get("/clock").json()["now"] == "2026-11-25T12:01:30Z"

    def test_refuses_a_time_without_an_offset(self, sandbox):
        answer = sandbox.http.put("/clock", json={"now": "2026-11-25T12:00:00"})

        assert answer.status_code == 400

    def test_lets_the_open_hour_grow(self, sandbox):
        open_hour = {"start_time": seconds(NOON), "end_time": None}
        sandbox.clock(advance=600)
        early = requests_by_hour(sandbox, "growth", **open_hour)

        sandbox.clock(advance=3000)
        late = requests_by_hour(sandbox, "growth", **open_hour)

        assert len(early) == 1
        assert 0 < early[0] < late[0]

    def test_shows_nothing_of_the_future(self, sandbox):
        tomorrow = {"start_time": seconds(NOON) + 3600, "end_time": seconds(NOON) + 7200}

        assert ask(sandbox, "future", **tomorrow).json()["data"] == []


@pytest.fixture(scope="module")
def two_lives(tmp_path_factory):
    """What one account and Clerk say before a restart, and nine days later after it."""
    state = tmp_path_factory.mktemp("sandbox") / "state.json"
    return [remember(state, now) for now in (NOON, NOON + timedelta(days=9))], state


def remember(state, now) -> dict[str, object]:
    first = seconds(NOON) - 60 * 86_400
    with Sandbox(state) as sandbox:
        sandbox.clock(now)
        if now == NOON:
            sandbox.fault("revised", account="elder", hour=MORNING, requests=2)
        return {
            "history": ask(sandbox, "witness", start_time=first - 7200, end_time=first + 7200).json()["data"],
            "revised": requests_by_hour(sandbox, "elder"),
            "jwks": sandbox.http.get("/clerk/.well-known/jwks.json").json(),
        }


class TestMemory:
    @pytest.mark.parametrize("what", ["history", "revised", "jwks"])
    def test_outlives_the_process(self, two_lives, what):
        [before, after], _ = two_lives

        assert before[what] == after[what]

    def test_goes_back_sixty_days_from_when_an_account_was_first_seen(self, two_lives):
        [_, after], _ = two_lives

        assert [bool(bucket["results"]) for bucket in after["history"]] == [False, False, True, True]

    def test_goes_back_to_the_day_that_an_account_is_named_after(self, sandbox):
        first = seconds(datetime(2024, 2, 1, tzinfo=UTC))

        buckets = ask(sandbox, "old-since-2024-02-01", start_time=first - 7200, end_time=first + 7200).json()[
            "data"
        ]

        assert [bool(bucket["results"]) for bucket in buckets] == [False, False, True, True]

    def test_is_for_its_owner_only(self, two_lives):
        _, state = two_lives

        assert state.stat().st_mode & 0o777 == 0o600

    def test_differs_between_accounts(self, sandbox):
        assert requests_by_hour(sandbox, "one") != requests_by_hour(sandbox, "two")


REFUSALS = [
    ("throttled", 429, "rate_limit_exceeded", "7"),
    ("throttled_silent", 429, "rate_limit_exceeded", None),
    ("quota", 429, "insufficient_quota", None),
    ("revoked", 401, "invalid_api_key", None),
    ("unscoped", 403, "Missing scopes: api.usage.read", None),
    ("broken", 500, "server_error", None),
]


class TestFaults:
    @pytest.mark.parametrize(("kind", "status", "words", "retry_after"), REFUSALS)
    def test_refuse(self, sandbox, kind, status, words, retry_after):
        sandbox.fault(kind, retry_after=7)

        answer = ask(sandbox, "refused")

        assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
        assert words in answer.text

    def test_pass_after_their_times(self, sandbox):
        sandbox.fault("broken", after=1, times=2)

        assert [ask(sandbox, "passing").status_code for _ in range(4)] == [200, 500, 500, 200]

    def test_concern_the_named_account_and_path_only(self, sandbox):
        sandbox.fault("broken", account="unlucky", path="costs")

        assert ask(sandbox, "lucky", "costs", **TODAY).status_code == 200
        assert ask(sandbox, "unlucky").status_code == 200
        assert ask(sandbox, "unlucky", "costs", **TODAY).status_code == 500

    def test_cut_the_json_short(self, sandbox):
        sandbox.fault("truncated", times=1)

        with pytest.raises(ValueError):
            ask(sandbox, "cut").json()

    def test_keep_a_client_waiting(self, sandbox):
        sandbox.fault("slow", seconds=0.5)

        with pytest.raises(httpx.ReadTimeout):
            sandbox.http.get("/openai/v1", timeout=httpx.Timeout(5, read=0.05))

    @pytest.mark.parametrize(
        "wrong", [{"openai": {"melted": {}}}, {"openai": {"broken": {"often": 1}}}, {"mars": {}}]
    )
    def test_must_be_known(self, sandbox, wrong):
        assert sandbox.http.put("/faults", json=wrong).status_code == 400


class TestGrowingBucket:
    def test_is_whole_after_its_reads(self, sandbox):
        whole = requests_by_hour(sandbox, "growing")
        sandbox.fault("growing", times=2)

        first, second, third = (requests_by_hour(sandbox, "growing") for _ in range(3))

        assert first[:-1] == second[:-1] == whole[:-1]
        assert first[-1] < second[-1] < third[-1] == whole[-1]

    def test_does_not_change_the_truth(self, sandbox):
        truth = sandbox.truth("climbing", MORNING, NOON)

        sandbox.fault("growing", buckets=3)

        assert (
            sum(requests_by_hour(sandbox, "climbing"))
            < truth["usage"]["completions"]["total"]["num_model_requests"]
        )
        assert sandbox.truth("climbing", MORNING, NOON) == truth


class TestRevisedBucket:
    @pytest.mark.parametrize("late", [7, -4])
    def test_changes_one_hour_for_good(self, sandbox, late):
        account = f"revised{late}"
        before = requests_by_hour(sandbox, account)

        sandbox.fault("revised", account=account, hour=MORNING + 3600, requests=late)
        sandbox.heal()

        assert requests_by_hour(sandbox, account) == [before[0], before[1] + late, *before[2:]]

    def test_is_the_truth(self, sandbox):
        before = sandbox.truth("truthful", MORNING, NOON)["usage"]["completions"]["total"][
            "num_model_requests"
        ]

        sandbox.fault("revised", account="truthful", hour=MORNING)

        after = sandbox.truth("truthful", MORNING, NOON)["usage"]["completions"]["total"][
            "num_model_requests"
        ]
        assert after == before + 7


class TestPagesThatAreWrong:
    def test_come_twice(self, sandbox):
        sandbox.fault("duplicate", times=1)
        first = ask(sandbox, "twice", limit=3).json()

        again = ask(sandbox, "twice", limit=3, page=first["next_page"]).json()
        rest = ask(sandbox, "twice", limit=3, page=again["next_page"]).json()

        assert first["data"] == again["data"]
        assert (first["next_page"] != again["next_page"], rest["has_more"]) == (True, False)

    def test_lead_back_to_themselves(self, sandbox):
        second = ask(sandbox, "stuck", limit=2).json()["next_page"]
        sandbox.fault("same_cursor")

        assert ask(sandbox, "stuck", limit=2, page=second).json()["next_page"] == second

    def test_promise_more_without_a_way_to_it(self, sandbox):
        sandbox.fault("no_cursor")

        page = ask(sandbox, "lost").json()

        assert (page["has_more"], page["next_page"]) == (True, None)
