"""Retired credits: loaded once, then given out in milligrams, each to one period and never twice."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db.backends.postgresql.psycopg_any import NumericRange

from billing.models import BillingPeriod
from carbon_site.problems import Conflict, Problem
from carbon_site.transactions import transaction, transaction_required
from receipts import canonical
from receipts.document import member
from receipts.log import append, open_log
from receipts.models import MILLIGRAMS_A_TONNE, Allocation, CreditBatch, LogHead, block_id

LAST_SERIAL = 2**63 - 1
MUST_BE_SAID = ("registry", "project", "project_name", "block", "beneficiary")
MOST_TONNES = 10**9  # of one batch: their milligrams are counted in 63 bits


class UnfitBatch(Problem):
    """The batch has something in it that cannot be kept, or not be told in a receipt."""


class SerialsKnown(Conflict):
    """Some of these serial numbers were loaded before."""


@dataclass(frozen=True)
class Retired:
    """What a registry says of credits that it has retired: serial numbers from and to, both included, one a tonne."""

    registry: str
    project: str
    project_name: str
    country: str
    kind: str
    vintage: int
    block: str
    serial_from: int
    serial_to: int
    retired_on: date
    beneficiary: str
    evidence_url: str
    evidence_sha256: str

    @property
    def serials(self) -> NumericRange:
        return NumericRange(self.serial_from, self.serial_to + 1)

    @property
    def tonnes(self) -> int:
        return self.serial_to + 1 - self.serial_from


def batch_of(retired: Retired) -> CreditBatch:
    """The row that it would be, but for its place in the log. Raises UnfitBatch or Profile, which name what does not fit."""
    if not 0 <= retired.serial_from <= retired.serial_to < LAST_SERIAL or retired.tonnes > MOST_TONNES:
        raise UnfitBatch("serial_to is before serial_from, or they are too large.")
    canonical.check(member(retired))  # every receipt that takes from it says so
    if retired.kind not in CreditBatch.Kind.values:
        raise UnfitBatch(f"kind: {retired.kind!r} is neither reduction nor removal.")
    columns: Mapping[str, Any] = vars(retired)
    kept = {name: value for name, value in columns.items() if name not in ("serial_from", "serial_to")}
    for name in (name for name in MUST_BE_SAID if not kept[name]):
        raise UnfitBatch(f"{name}: it must be said.")
    batch = CreditBatch(**kept, block_id=block_id(retired.registry, retired.block), serials=retired.serials)
    try:
        batch.clean_fields(exclude=["is_demonstration", "leaf_index", "leaf_sha256"])
    except ValidationError as error:
        raise UnfitBatch(
            "; ".join(f"{name}: {' '.join(said)}" for name, said in error.message_dict.items())
        ) from error
    return batch


def known_before(retired: Retired) -> list[CreditBatch]:
    """Batches that hold some of the same serial numbers."""
    same_block = CreditBatch.objects.filter(block_id=block_id(retired.registry, retired.block))
    return list(same_block.filter(serials__overlap=retired.serials))


@transaction
def load_batches(batches: Iterable[Retired], *, is_demonstration: bool = False) -> list[CreditBatch]:
    """Keep credits that were retired, all of them or none. The same serial number is refused for ever: raises SerialsKnown."""
    head = open_log()
    return [_load(head, retired, is_demonstration) for retired in batches]


@transaction_required
def _load(head: LogHead, retired: Retired, is_demonstration: bool) -> CreditBatch:
    if others := known_before(retired):
        raise SerialsKnown(
            f"{retired.registry} {retired.block} {retired.serial_from}–{retired.serial_to} overlaps {others[0].pk}.",
            object=str(others[0].pk),
        )
    batch, body = batch_of(retired), _leaf(retired, is_demonstration)
    batch.is_demonstration = is_demonstration
    batch.leaf_index, batch.leaf_sha256 = append(head, [body])[0], hashlib.sha256(body).hexdigest()
    batch.save(force_insert=True)
    return batch


def _leaf(retired: Retired, is_demonstration: bool) -> bytes:
    """What the log says of a batch: which serial numbers, how much, and the hash of the evidence. Masses are texts."""
    said = {
        "type": "batch",
        "registry": retired.registry,
        "project": retired.project,
        "vintage": str(retired.vintage),
        "block": retired.block,
        "serialFrom": str(retired.serial_from),
        "serialTo": str(retired.serial_to),
        "retiredMg": str(retired.tonnes * MILLIGRAMS_A_TONNE),
        "evidenceSha256": retired.evidence_sha256,
    }
    return canonical.encode(said | ({"demonstration": "true"} if is_demonstration else {}))


@transaction_required
def allocate(period: BillingPeriod, mg: int, *, is_demonstration: bool) -> list[Allocation]:
    """Milligrams for a period, as intervals of the oldest vintages that are free; none at all where the pool is too short.

    The batches are locked in one order until the commit, so that two periods never wait for each other.
    """
    batches = (
        CreditBatch.objects.select_for_update()
        .filter(is_demonstration=is_demonstration)
        .order_by("vintage", "pk")
    )
    free = [batch for batch in batches if batch.free_mg]
    if mg <= 0 or sum(batch.free_mg for batch in free) < mg:
        return []
    made = []
    for batch in free:
        if take := min(mg, batch.free_mg):
            made.append(_take(period, batch, take))
            mg -= take
    return made


@transaction_required
def _take(period: BillingPeriod, batch: CreditBatch, mg: int) -> Allocation:
    span = NumericRange(batch.allocated_mg, batch.allocated_mg + mg)
    batch.allocated_mg += mg
    batch.save(update_fields=["allocated_mg"])
    return Allocation.objects.for_organization(period.organization_id).create(
        organization_id=period.organization_id, period=period, batch=batch, span=span
    )
