"""What OpenAI says, as plain rows: disjoint classes, stable identities, clean words."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connections.providers import ProviderRefused, ProviderUnavailable, clean, identity
from connections.providers.openai import FAMILIES, OpenAI, _tokens
from connections.providers.registry import PROVIDERS, provider_for, refuse_wrong_kind

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def world(sandbox, settings):
    settings.OPENAI_BASE_URL = sandbox.openai
    sandbox.clock(NOW)
    yield sandbox
    sandbox.heal()
    sandbox.clock()


def ask(call):
    """The answer of an asynchronous call with a client of its own."""

    async def asked():
        async with httpx.AsyncClient() as http:
            return await call(http)

    return asyncio.run(asked())


def read(world, family="completions", key="sk-admin-sandbox-reader", after=None):
    async def pages(http):
        provider = provider_for("openai", http, secret=key, account="org-reader")
        return [page async for page in provider.pages(family, NOW - timedelta(days=1), NOW, after)]

    return ask(pages)


class TestTokens:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ({"input_tokens": 10}, (10, None, None, None)),
            ({"input_tokens": 10, "input_cached_tokens": 4}, (6, 4, None, None)),
            ({"input_tokens": 10, "input_cached_tokens": 4, "input_cache_write_tokens": 1}, (5, 4, 1, None)),
            (
                {"input_tokens": 10, "input_cache_write_tokens": 5, "input_cache_write_12h_tokens": 2},
                (5, None, 5, 2),
            ),
            ({"input_tokens": 10, "input_uncached_tokens": 6, "input_cached_tokens": 4}, (6, 4, None, None)),
            (
                {"input_tokens": 10, "input_uncached_tokens": 9, "input_cached_tokens": 4},
                (10, None, None, None),
            ),
            ({"input_tokens": 10, "input_cached_tokens": 11}, (10, None, None, None)),
            (
                {"input_tokens": 10, "input_cache_write_tokens": 1, "input_cache_write_12h_tokens": 2},
                (9, None, 1, None),
            ),
            ({}, (None, None, None, None)),
        ],
    )
    def test_are_disjoint_and_sum_to_the_total(self, said, expected):
        found = _tokens(said)

        assert (
            tuple(found[name] for name in ("input_uncached", "cache_read", "cache_write", "cache_write_long"))
            == expected
        )


class TestIdentity:
    def test_is_the_same_whoever_asks(self):
        assert identity("a", "completions", 3600, 0, ["x", None]) == identity(
            "a", "completions", 3600, 0, ["x", None]
        )

    @pytest.mark.parametrize("other", [["x", ""], ["x"], [None, "x"], ["x", "null"]])
    def test_tells_null_from_everything_else(self, other):
        assert identity("a", "completions", 3600, 0, ["x", None]) != identity(
            "a", "completions", 3600, 0, other
        )

    def test_of_this_program_never_changes(self):
        """A change of it would count every bucket twice."""
        name = identity(
            "org-1", "completions", 3600, 1795348800, ["proj_1", None, "key_1", "gpt-5.2", False, "default"]
        )

        assert name.hex() == "075caedac1da4052a82ff84106a56cd3b18c06ec0be8d64ea1e37558fb2ee319"


class TestClean:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ("Cafe\u0301", "Caf\u00e9"),
            ("a\x00b\n", "ab"),
            ("\ud800x", "x"),
            ("x" * 400, "x" * 300),
            (None, None),
        ],
    )
    def test_is_one_form_of_a_word(self, said, expected):
        assert clean(said) == expected


@pytest.mark.parametrize("name", PROVIDERS)
class TestEveryProvider:
    def test_reads_each_bucket_once(self, world, name):
        rows = [row for page in read(world) for row in page.rows]

        assert len({row.identity for row in rows}) == len(rows) > 0

    def test_goes_on_from_a_cursor(self, world, name):
        async def first_and_rest(http):
            provider = provider_for(name, http, secret="sk-admin-sandbox-reader", account="org-reader")
            start = NOW - timedelta(days=20)
            pages = [page async for page in provider.pages("completions", start, NOW)]
            rest = [page async for page in provider.pages("completions", start, NOW, pages[0].next)]
            return pages, rest

        pages, rest = ask(first_and_rest)

        assert len(pages) > 1
        assert [page.rows for page in rest] == [page.rows for page in pages[1:]]

    def test_names_the_account(self, world, name):
        async def validate(http):
            return await provider_for(name, http, secret="sk-admin-sandbox-reader").validate(NOW)

        assert ask(validate)

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ("revoked", ProviderRefused),
            ("unscoped", ProviderRefused),
            ("quota", ProviderRefused),
            ("throttled", ProviderUnavailable),
            ("broken", ProviderUnavailable),
            ("truncated", ProviderUnavailable),
        ],
    )
    def test_says_what_went_wrong(self, world, name, fault, error):
        world.fault(fault)

        with pytest.raises(error):
            read(world)

    def test_says_that_nobody_answers(self, settings, name):
        settings.OPENAI_BASE_URL = "http://127.0.0.1:9"

        with pytest.raises(ProviderUnavailable, match="no answer"):
            read(None)


class TestFamilies:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_are_all_read(self, world, family):
        assert all(row.family == family for page in read(world, family) for row in page.rows)

    def test_of_samples_are_read_as_documented(self):
        """Made-up values in the documented shapes."""
        provider = OpenAI(None, "", "", "org-1")
        said = {"num_sessions": 3, "project_id": "proj_1"}

        row = provider._row("code_interpreter_sessions", 1795348800, said)

        assert (row.quantity, row.unit, row.requests, row.provider_project) == (3, "sessions", None, "proj_1")


class TestWrongKind:
    @pytest.mark.parametrize(
        "key", ["sk-proj-abc", "sk-ant-admin01-abc", "sk-or-v1-abc", "sk-admin-é", "sk-admin-a\nb"]
    )
    def test_is_refused_before_it_goes_anywhere(self, key):
        with pytest.raises(ProviderRefused, match="another kind"):
            refuse_wrong_kind("openai", key)
