"""One estimate with its interval; beside it EcoLogits', with its range, of the same models.

EcoLogits takes the output alone; ours also counts input, cached input and context.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from time import perf_counter
from typing import Any

from ecologits.tracers.utils import llm_impacts

from emissions.estimate import estimate
from emissions.publish import factor_set, newest
from tests.bench.pairs import PAIRS, Comparison, compare, in_turn

MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-5"),
]
OUTPUTS = range(100, 1100, 100)  # tokens
SECONDS = 0.5
Call = Callable[[], Any]


def measure() -> Iterator[Comparison]:
    logging.getLogger("ecologits").setLevel(logging.ERROR)  # that sizes are guessed is said in each call
    factors, asked = factor_set(newest()), list(product(MODELS, OUTPUTS))
    ours = [partial(estimate, factors, usage(*model, output)) for model, output in asked]
    theirs = [partial(llm_impacts, *model, output, request_latency=5.0) for model, output in asked]
    insist_known(ours, theirs)
    pairs = [in_turn(number, partial(rate, ours), partial(rate, theirs)) for number in range(PAIRS)]
    yield compare("estimate with bounds / EcoLogits 0.11.3", pairs, target=50, unit="estimates/s")


def usage(provider: str, model: str, output: int) -> dict[str, Any]:
    tokens = {"input_uncached": 4 * output, "cache_read": 2 * output, "output": output}
    return {"provider": provider, "model": model, "requests": 1, **tokens}


def insist_known(ours: Sequence[Call], theirs: Sequence[Call]) -> None:
    """A refusal would be quick; and both sides remember from here on what they have looked up."""
    if not all(call().is_mapped for call in ours) or any(call().has_errors for call in theirs):
        raise SystemExit(f"One of {MODELS} is not known to both.")


def rate(calls: Sequence[Call]) -> float:
    """Calls a second."""
    made, began = 0, perf_counter()
    while (passed := perf_counter() - began) < SECONDS:
        for call in calls:
            call()
        made += len(calls)
    return made / passed
