"""Combinations by their names, as they stand in calculations and roll-ups."""

from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from emissions.factor_set import FactorSet
from emissions.methodology import Combination, CombinationKey
from emissions.models import FactorCombination
from emissions.publish import factor_set


class Known(NamedTuple):
    """A combination, and the set that it was made from."""

    factors: FactorSet
    combination: Combination

    @property
    def is_unmapped(self) -> bool:
        """No row of the set knew the model."""
        return self.combination.model is self.factors.unmapped


@lru_cache(maxsize=4096)
def combination_of(name: UUID) -> Known:
    """A combination is final, so it is read once a process."""
    row = FactorCombination.objects.select_related("factors").get(pk=name)
    factors = factor_set(row.factors)
    key = CombinationKey(row.tier, row.mode, row.model_row, row.service_class, row.hosting)  # type: ignore[arg-type]
    return Known(factors, factors.combine(key))
