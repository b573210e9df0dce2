from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emissions.factor_document import packaged
from emissions.model_names import normalised


class TestNormalised:
    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("gpt-4o", "gpt-4o"),
            (" GPT-4o\n", "gpt-4o"),
            ("gpt\x00-4o\x7f", "gpt-4o"),
            ("ft:gpt-4.1-2025-04-14:acme:haiku-club:AbC", "gpt-4.1-2025-04-14"),
            ("ft:gpt-4o-mini-2024-07-18:acme/claude-opus::x:ckpt-step-90", "gpt-4o-mini-2024-07-18"),
            ("meta-llama/Llama-3.3-70B-Instruct:free", "llama-3.3-70b-instruct"),
            ("accounts/fireworks/models/qwen3-235b-a22b", "qwen3-235b-a22b"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929-v1"),
            ("amazon.nova-pro-v1:0", "nova-pro-v1"),
            (
                "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.meta.llama3-2-3b-instruct-v1:0",
                "llama3-2-3b-instruct-v1",
            ),
            ("publishers/anthropic/models/claude-sonnet-4@20250514", "claude-sonnet-4"),
            ("us.something", "something"),
            ("gpt_4o mini", "gpt-4o-mini"),
            ("", ""),
        ],
    )
    def test_is_the_name_without_what_does_not_count(self, name, word):
        assert normalised(name) == word

    @pytest.mark.parametrize(
        "name", ["gpt-4.1", "glm-4.5-air", "qwen2.5-72b", "claude-2.1", "o1.5", "llama-3.gguf"]
    )
    def test_keeps_its_version(self, name):
        assert normalised(name) == name

    @given(st.text(max_size=300))
    @settings(deadline=None, max_examples=50)
    def test_of_anything_meets_a_row(self, name):
        assert packaged().model(name).row in packaged().models.values()


class TestSizeRule:
    # Cuts of active billions 4.5, 13, 38, 90 and of total billions 24, 100, 260, 700; a cut is passed by more than it.
    @pytest.mark.parametrize(
        ("name", "tier"),
        [
            ("x-4.5b", "nano"),  # 0 + 0
            ("x-4.6b", "small"),  # (1 + 0) / 2, rounded up
            ("x-24b", "small"),  # (2 + 0) / 2
            ("x-32b", "medium"),  # (2 + 1) / 2, rounded up
            ("x-70b-chat", "medium"),  # (3 + 1) / 2
            ("x-405b", "frontier"),  # (4 + 3) / 2, rounded up
            ("x-30b-a3b", "small"),  # (0 + 1) / 2, rounded up
            ("x-1000b-a32b-v1", "large"),  # (2 + 4) / 2
            ("x-7b-of-480b-a35b", "large"),  # the pair counts: (2 + 3) / 2, rounded up
            ("x-8x7b", None),
            ("x-v3b2", None),
            ("x", None),
        ],
    )
    def test_reads_the_numbers_in_a_name(self, name, tier):
        assert packaged().size_rule.tier(name) == tier

    @given(st.decimals(Decimal("0.1"), 2000, places=1), st.decimals(Decimal("0.1"), 2000, places=1))
    @settings(deadline=None)
    def test_never_falls_as_a_model_grows(self, one, other):
        rule = packaged().size_rule

        small, large = (rule.tier(f"x-{size}b") for size in sorted((one, other)))
        assert rule.tiers.index(small) <= rule.tiers.index(large)
