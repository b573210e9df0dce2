"""What a receipt says. The names here, in camelCase, are its members: `low_ug` is `lowUg`. Version 1, and final.

All numbers are whole: micrograms and milligrams of CO2e (`_ug`, `_mg`), microwatt-hours (`_uwh`), tokens, hours. None is
left out of the document, and means that it is not known or not there; it never means 0. Nothing here is an id of ours.
"""

from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from uuid import UUID

from carbon_site.periods import Period

ESTIMATE = "Estimated from token counts with secondary factors; the provider has not confirmed it."
SEPARATE = "The retirement of credits does not reduce the emissions stated above."
INTERVAL = (
    "From low to high: 95 % uncertainty interval, lognormal. Central: median. Mean: expected value. "
    "Bounds hold for the total only and cannot be added."
)
ACCOUNTING = "Gross, location-based; GHG Protocol Scope 3, category 1 (purchased services)."
INCLUDED = (
    "electricity of inference at the data centre, its overhead included",
    "generation and supply of that electricity: fuel upstream, transmission and distribution",
    "share of the making of servers and accelerators",
)
EXCLUDED = ("training of models", "networks", "devices of end users", "buildings")


class DoesNotAddUp(ValueError):
    """The parts of a receipt contradict each other, so it must not be signed."""


@dataclass(frozen=True, kw_only=True)
class Customer:
    """Whom it is for: a commitment that only the holder of salt and name can open, and a name if they want it public."""

    commitment: str
    public_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Disjoint classes, but for `cache_write_long`, which is a part of `cache_write`. None: the provider does not say."""

    input_uncached: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    output: int | None = None
    requests: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelUse(Tokens):
    """The use of one model; `source` is where the counts come from: the provider, or what the customer declared."""

    provider: str
    model: str
    service_tier: str | None = None
    region: str | None = None
    source: str = "provider"
    quantity: int | None = None
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Uncounted:
    """Use that the figures do not hold, or hold by a default: what it was, and its tokens."""

    label: str
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of the period was seen, and what was seen and not estimated as itself."""

    hours_expected: int
    hours_observed: int
    hours_reconciled: int
    unmapped_models: tuple[Uncounted, ...] = ()
    not_estimated: tuple[Uncounted, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Activity:
    """`models` may be kept out of the public document; then the annex, whose hash stands here, has them."""

    total: Tokens
    coverage: Coverage
    models: tuple[ModelUse, ...] | None = None
    annex_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Of the machines, and of the data centre around them."""

    it_uwh: int
    facility_uwh: int


@dataclass(frozen=True, kw_only=True)
class Emissions:
    """Gross. Raises DoesNotAddUp unless electricity and embodied emissions make the central figure, between low and high."""

    low_ug: int
    central_ug: int
    high_ug: int
    mean_ug: int
    electricity_central_ug: int
    embodied_central_ug: int
    interval: str = INTERVAL
    accounting: str = ACCOUNTING

    def __post_init__(self) -> None:
        if self.electricity_central_ug + self.embodied_central_ug != self.central_ug:
            raise DoesNotAddUp("electricity and embodied emissions are not the central figure")
        if not self.low_ug <= self.central_ug <= self.high_ug:
            raise DoesNotAddUp("the central figure is not between low and high")


@dataclass(frozen=True, kw_only=True)
class Boundary:
    included: tuple[str, ...] = INCLUDED
    excluded: tuple[str, ...] = EXCLUDED
    method: str = "average-data"
    primary_emission_factors_percent: int = 0


@dataclass(frozen=True, kw_only=True)
class FactorSet:
    """The factors, by the hash of their canonical document; it holds each with unit, source, licence and evidence."""

    version: str
    sha256: str
    gwp: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The frozen list of usage, by the root of its Merkle tree (RFC 6962)."""

    merkle_root: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Serials:
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Retirement:
    """A slice of a batch that was retired whole: from `offset_mg`, `length_mg` long. The batch is named by its log leaf."""

    batch_sha256: str
    batch_mg: int
    offset_mg: int
    length_mg: int
    registry: str
    registry_url: str | None = None
    evidence_sha256: str | None = None
    project_id: str
    project_name: str
    country: str | None = None
    credit_type: str  # reduction or removal
    standard: str | None = None
    vintage: str
    serials: Serials
    retired_on: date
    beneficiary: str
    reason: str | None = None
    durability_years: int | None = None
    corresponding_adjustment: bool | None = None
    demonstration: bool | None = None  # true where no registry knows of it


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """A change of an earlier period's mean that this period takes in; `change` is increase or decrease."""

    period: Period
    change: str
    mean_ug: int


@dataclass(frozen=True, kw_only=True)
class Credits:
    """Raises DoesNotAddUp unless the slices make what was retired, lie in their batches, and do not overlap."""

    basis: str  # the figure that is retired for: mean, central or high
    required_mg: int
    retired_mg: int
    retirements: tuple[Retirement, ...]
    adjustments: tuple[Adjustment, ...] = ()
    carried_in_mg: int | None = None
    carried_out_mg: int | None = None
    statement: str = SEPARATE

    def __post_init__(self) -> None:
        if sum(part.length_mg for part in self.retirements) != self.retired_mg:
            raise DoesNotAddUp("the slices are not what was retired")
        ends: dict[str, int] = {}
        for part in sorted(self.retirements, key=attrgetter("offset_mg")):
            if part.offset_mg < ends.get(part.batch_sha256, 0):
                raise DoesNotAddUp(f"two slices of the batch {part.batch_sha256} overlap")
            ends[part.batch_sha256] = part.offset_mg + part.length_mg
            if ends[part.batch_sha256] > part.batch_mg:
                raise DoesNotAddUp(f"a slice does not lie in the batch {part.batch_sha256}")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """All that a receipt states about a customer and a period."""

    receipt_number: str
    period: Period
    customer: Customer
    statement: str = ESTIMATE
    boundary: Boundary = Boundary()
    activity: Activity
    energy: Energy
    emissions: Emissions
    factor_set: FactorSet
    ledger: Ledger
    credits: Credits | None = None


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """The receipt whose place this one takes: its id, and the hash of it with its proof."""

    id: UUID
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A receipt before it is signed, with its place in a status list."""

    id: UUID  # random, version 4
    issued_at: datetime
    status_list: int
    status_index: int
    subject: Subject
    supersedes: Replaced | None = None
