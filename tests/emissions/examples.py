"""The worked numbers in `data`, and what the program makes of their rows."""

import csv
import json
from pathlib import Path
from typing import Any

from emissions.factor_document import packaged
from emissions.methodology import Combination, Figures, Tokens, figures

DATA = Path(__file__).parent / "data"
EXAMPLES: dict[str, dict[str, Any]] = {
    example["name"]: example for example in json.loads((DATA / "figures_examples.json").read_text())
}
ROWS = [row for example in EXAMPLES.values() for row in example["rows"]]


def names() -> list[tuple[str, str, str, int]]:
    """Name of a model, and the kind, tier and evidence that it has."""
    with (DATA / "models_expected.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    return [(row["name"], row["kind"], row["tier"], int(row["evidence"])) for row in rows]


def combination(
    provider: str = "openai",
    model: str | None = "gpt-4o-2024-08-06",
    signal: dict[str, str] | None = None,
    service_tier: str | None = None,
    requests: int | None = 40,
) -> Combination:
    found = packaged().combination(
        provider=provider, model=model, signal=signal or {}, service_tier=service_tier, requests=requests
    )
    assert found is not None
    return found


def combination_of(row: dict[str, Any]) -> Combination:
    return combination(*(row[name] for name in ("provider", "model", "signal", "service_tier", "requests")))


def figures_of(row: dict[str, Any]) -> Figures:
    return figures(combination_of(row).rates, Tokens(**row["tokens"]), row["requests"])
