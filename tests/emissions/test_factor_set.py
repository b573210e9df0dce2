import json
from typing import Any

import pytest

from emissions.factor_document import PACKAGED, packaged, read
from emissions.factor_set import FactorSet, service_class
from emissions.methodology import CombinationKey
from tests.emissions.examples import ROWS, combination, combination_of, names


def with_hosting(*rows: dict[str, Any]) -> FactorSet:
    """The packaged set with more hosting rows, which say as much of the place as is given."""
    document = json.loads(PACKAGED.read_text())
    row = {
        "provider": "acme",
        "grid": "grid/SE",
        "grid_ln_sd": "0.1",
        "pue": "pue/aws",
        "note": "",
        "signal": {},
    }
    document["hosting"] += [row | more for more in rows]
    return read(json.dumps(document).encode())


class TestModel:
    @pytest.mark.parametrize(("name", "kind", "tier", "evidence"), names())
    def test_is_known_by_its_name(self, name, kind, tier, evidence):
        found = packaged().model(name)

        assert (found.row.kind, found.tier, found.row.evidence) == (kind, tier, evidence)

    @pytest.mark.parametrize(
        ("name", "order"),
        [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 380),
            ("anthropic.claude-3-haiku-20240307-v1:0", 390),
            ("global.amazon.nova-premier-v1:0", 710),
            ("mistral.mistral-large-2402-v1:0", 640),
            ("GPT-4o", 500),
        ],
    )
    def test_is_the_same_on_another_cloud(self, name, order):
        assert packaged().model(name).row.order == order

    @pytest.mark.parametrize("name", ["some-new-model-9000", "", "gemini-mini", "anthropic/opus"])
    def test_that_no_row_knows_is_unmapped_and_large(self, name):
        found = packaged().model(name)

        assert found == (packaged().unmapped, "large")

    def test_goes_past_a_row_by_size_if_its_name_tells_none(self):
        # The row of distilled models matches, but “70bx” is no number of parameters.
        assert packaged().model("deepseek-r1-distill-llama-70bx").row.order == 240


class TestHostingRow:
    @pytest.mark.parametrize(
        ("provider", "signal", "row"),
        [
            ("anthropic", {}, "anthropic/default"),
            ("anthropic", {"inference_geo": "us"}, "anthropic/inference_geo=us"),
            ("anthropic", {"inference_geo": "global"}, "anthropic/default"),
            ("anthropic", {"inference_geo": "us", "region": "x"}, "anthropic/inference_geo=us"),
            ("openai", {"residency": "eu"}, "openai/residency=eu"),
            ("aws", {"region": "eu-north-1"}, "aws/region=eu-north-1"),
            ("aws", {}, "*/default"),
            ("nobody", {"region": "eu-north-1"}, "*/default"),
            ("openrouter", {}, "openrouter/default"),
            ("openrouter", {"upstream": "groq"}, "groq/default"),
            ("openrouter", {"upstream": "anthropic", "inference_geo": "us"}, "anthropic/inference_geo=us"),
            ("openrouter", {"upstream": "nobody"}, "openrouter/default"),
        ],
    )
    def test_agrees_with_what_is_known_of_the_place(self, provider, signal, row):
        assert packaged().hosting_row(provider, signal).id == row

    def test_is_the_one_that_says_most(self):
        region, geo = {"region": "north"}, {"inference_geo": "eu"}
        made = with_hosting(
            {"id": "acme/north", "signal": region},
            {"id": "acme/north-eu", "signal": region | geo},
            {"id": "acme/eu", "signal": geo},
            {"id": "acme/south-eu", "signal": {"region": "south"} | geo},
        )

        assert made.hosting_row("acme", region | geo).id == "acme/north-eu"


class TestServiceClass:
    @pytest.mark.parametrize(
        ("word", "meaning"),
        [
            ("batch", "batch"),
            ("fast", "fast"),
            ("priority", "priority"),
            (None, "standard"),
            ("default", "standard"),
        ],
    )
    def test_is_a_word_of_ours_or_standard(self, word, meaning):
        assert service_class(word) == meaning


class TestCombination:
    @pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['provider']} {row['model']}")
    def test_is_named_by_what_decides_it(self, row):
        key = combination_of(row).key

        assert key == (
            row["tier"],
            row["mode"],
            row["model_row"],
            row["service_tier"] or "standard",
            row["hosting"],
        )

    def test_is_made_once(self):
        one, other = (
            combination(model="gpt-4o", requests=1),
            combination(model="openai/gpt-4o:free", requests=7),
        )

        assert one is other

    def test_comes_back_from_its_key(self):
        made = combination(provider="anthropic", model="claude-opus-5-5", requests=None)

        key = CombinationKey("frontier", "bucket", 370, "standard", "anthropic/default")
        assert packaged().combine(key) is made

    def test_holds_every_factor_that_it_meets(self):
        made = combination(service_tier="priority")

        factors = [made.method, made.service, made.pue, made.grid, made.embodied, *made.energy.values()]
        assert [factor.id for factor in factors] == [
            "method", "service/priority", "pue/unknown_hyperscale", "grid/US", "embodied",
            "energy/large/output", "energy/large/event/input_uncached", "energy/large/event/cache_read",
            "energy/large/event/cache_write", "energy/large/event/cache_write_long", "energy/large/event/kv",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "model", ["text-embedding-ada-002", "omni-moderation-latest", "dall-e-3", "whisper-1"]
    )
    def test_is_not_made_for_what_is_not_text(self, model):
        found = packaged().combination(
            provider="openai", model=model, signal={}, service_tier=None, requests=1
        )

        assert found is None

    def test_of_a_model_without_a_name_is_unmapped(self):
        assert combination(model=None).model == packaged().unmapped
