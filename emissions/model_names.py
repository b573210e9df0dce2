"""What the name of a model says: the normalised name, in which rows are looked up, and the size that some names tell."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

# `eu.anthropic.claude-…`: a region, then a vendor's word, each with its dot. A version such as `gpt-4.1` has no such word.
CLOUD_PREFIX = re.compile(r"(?:(?:us|eu|apac|global|au|jp)\.)?[a-z0-9]+\.(?=[a-z])")
TOTAL_AND_ACTIVE = re.compile(r"(?<![a-z0-9.])([0-9]+(?:\.[0-9]+)?)b-a([0-9]+(?:\.[0-9]+)?)b(?![a-z0-9])")
DENSE = re.compile(r"(?<![a-z0-9.])([0-9]+(?:\.[0-9]+)?)b(?![a-z0-9])")


def normalised(name: str) -> str:
    """The name without fine-tune, path, cloud prefix, variant and version suffix: six steps, in this order."""
    name = "".join(letter for letter in name if unicodedata.category(letter) != "Cc").strip().lower()
    if name.startswith("ft:"):
        name = name.split(":")[1]  # the rest is a customer's own words, which never decide
    name = name.rsplit("/", 1)[-1]
    if prefix := CLOUD_PREFIX.match(name):
        name = name[prefix.end() :]
    name = re.split("[:@]", name, maxsplit=1)[0]
    return name.replace("_", "-").replace(" ", "-")


class SizeRule(NamedTuple):
    """Tiers by billions of parameters: the mean of where the active and the total ones stand among the cuts, rounded up."""

    active_cuts: Sequence[Decimal]
    total_cuts: Sequence[Decimal]
    tiers: Sequence[str]

    def tier(self, name: str) -> str | None:
        """The tier of a normalised name that tells a size (`…-235b-a22b`, `…-70b`), else None."""
        if sizes := TOTAL_AND_ACTIVE.search(name):
            total, active = sizes.groups()
        elif size := DENSE.search(name):
            total = active = size[1]
        else:
            return None
        cuts = bisect_left(self.active_cuts, Decimal(active)) + bisect_left(self.total_cuts, Decimal(total))
        return self.tiers[-(-cuts // 2)]
