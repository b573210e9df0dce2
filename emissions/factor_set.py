"""A set of factors, and which of them a row of usage meets."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from emissions.factors import Factor, HostingRow, ModelRow
from emissions.methodology import TERMS, Combination, CombinationKey, Mode, Term, mode_of
from emissions.model_names import SizeRule, normalised

SERVICE_CLASSES = ("standard", "batch", "flex", "priority", "fast")
ANY_PROVIDER = "*"
SIGNAL_NAMES = {"anthropic": "inference_geo", "openai": "residency"}
BY_SIZE = "size"  # in place of a tier: the numbers in the name tell it
REMEMBERED = 10_000  # kinds of row; the public calculator may be sent any name of a model


class ModelMatch(NamedTuple):
    """The row that a name of a model met, and its tier; empty if the kind is not estimated."""

    row: ModelRow
    tier: str


@dataclass(frozen=True, eq=False)
class FactorSet:
    """Everything that figures are made with, under one version and one hash. It never changes."""

    version: str
    canonical: bytes  # the whole document as JSON of RFC 8785
    sha256: str  # of these bytes, in hexadecimal
    size_rule: SizeRule
    factors: Mapping[str, Factor]
    hosting: Mapping[str, HostingRow]  # by their ids
    models: Mapping[int, ModelRow]  # by their order, the first to be tried first
    _made: dict[CombinationKey, Combination] = field(default_factory=dict, init=False, repr=False)

    def combination(
        self,
        *,
        provider: str,
        model: str | None,
        signal: Mapping[str, str],
        service_tier: str | None,
        requests: int | None,
    ) -> Combination | None:
        """All that decides the figures of such a row; None where tokens are counted and nothing is estimated.

        `signal` is what is known of the place: `inference_geo`, `residency`, `region`; and, for a broker, its `upstream`.
        """
        return self._remembered(
            provider, model or "", frozenset(signal.items()), service_tier, mode_of(requests)
        )

    @cached_property
    def _remembered(self) -> Callable[..., Combination | None]:
        return lru_cache(REMEMBERED)(self._find)

    def _find(
        self,
        provider: str,
        model: str,
        signal: frozenset[tuple[str, str]],
        service_tier: str | None,
        mode: Mode,
    ) -> Combination | None:
        match = self.model(model)
        if not match.tier:
            return None
        hosting = self.hosting_row(provider, dict(signal))
        key = CombinationKey(match.tier, mode, match.row.order, service_class(service_tier), hosting.id)
        return self.combine(key)

    @cached_property
    def unmapped(self) -> ModelRow:
        """The row of models that no other row knows."""
        return self.models[max(self.models)]

    def model(self, name: str) -> ModelMatch:
        """The first row whose pattern matches the whole normalised name. A row by size needs a name that tells one."""
        word = normalised(name)
        rows = (row for row, pattern in self._patterns if pattern.fullmatch(word))
        tiers = ((row, self.size_rule.tier(word) if row.tier == BY_SIZE else row.tier) for row in rows)
        return next(ModelMatch(row, tier) for row, tier in tiers if tier is not None)

    @cached_property
    def _patterns(self) -> list[tuple[ModelRow, re.Pattern[str]]]:
        return [(row, re.compile(row.pattern)) for row in self.models.values()]

    def hosting_row(self, provider: str, signal: Mapping[str, str]) -> HostingRow:
        """Of the rows that agree with the signal, the one that says most: the upstream's, else the provider's, else anyone's."""
        for name in (signal.get("upstream"), provider, ANY_PROVIDER):
            agreeing = [row for row in self._hosting_of.get(name, ()) if row.signal.items() <= signal.items()]
            if agreeing:
                return max(agreeing, key=lambda row: len(row.signal))
        raise LookupError(f"no hosting row for {provider}")

    def combine(self, key: CombinationKey) -> Combination:
        """The combination of a key, always the same object. Raises KeyError for a key of another set."""
        return self._made.get(key) or self._made.setdefault(key, self._make(key))

    def _make(self, key: CombinationKey) -> Combination:
        hosting = self.hosting[key.hosting]
        return Combination(
            version=self.version,
            key=key,
            model=self.models[key.model_row],
            hosting=hosting,
            method=self.factors["method"],
            service=self.factors[f"service/{key.service_class}"],
            pue=self.factors[hosting.pue],
            grid=self.factors[hosting.grid],
            embodied=self.factors["embodied"],
            energy={term: self.factors[energy_id(key.tier, key.mode, term)] for term in TERMS[key.mode]},
        )

    @cached_property
    def _hosting_of(self) -> Mapping[str | None, list[HostingRow]]:
        rows: dict[str | None, list[HostingRow]] = {}
        for row in self.hosting.values():
            rows.setdefault(row.provider, []).append(row)
        return rows


def signal_of(provider: str, region: str | None) -> dict[str, str]:
    """A provider's word for the place, under the name by which hosting rows know it."""
    return {} if region is None else {SIGNAL_NAMES.get(provider, "region"): region}


def service_class(service_tier: str | None) -> str:
    """What a provider's word for how urgently it served means here; a word that is not known means nothing."""
    return service_tier if service_tier in SERVICE_CLASSES else "standard"


def energy_id(tier: str, mode: Mode, term: Term) -> str:
    """The energy factor of a term. That of output is one in both modes."""
    return f"energy/{tier}/output" if term == "output" else f"energy/{tier}/{mode}/{term}"
