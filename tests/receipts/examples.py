"""A receipt of the shape that a month makes, the keys that sign it, and the small log that holds it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from carbon_site import merkle
from carbon_site.periods import Period
from receipts import canonical, credential, document, note
from receipts.keys import LocalKey
from receipts.receipt import (
    Activity,
    Adjustment,
    Coverage,
    Credits,
    Customer,
    Emissions,
    Energy,
    FactorSet,
    Ledger,
    ModelUse,
    Receipt,
    Retirement,
    Serials,
    Subject,
    Tokens,
    Uncounted,
)

VECTORS = Path(__file__).parent / "vectors"

SITE = "http://localhost:8000"
ISSUER = "did:web:localhost%3A8000"
ISSUED = datetime(2026, 11, 3, 0, 40, tzinfo=UTC)
KEY = LocalKey.from_seed(ISSUER, "2026-11-a", b"receipt key of the tests, no. 1.")
OTHER_KEY = LocalKey.from_seed(ISSUER, "2026-12-a", b"receipt key of the tests, no. 2.")
LOG_SIGNER = LocalKey.from_seed(ISSUER, "log-2026-11-a", b"the log key of the tests, no. 1.")
LOG = note.LogKey("localhost:8000/log", LOG_SIGNER.public.raw)

SALT = bytes(range(32))
NAME = "Ünïted Tokens Ltd"
BATCH = "5d" * 32

RETIREMENT = Retirement(
    batch_sha256=BATCH,
    batch_mg=10_000_000_000,
    offset_mg=1_000_000,
    length_mg=7_000_000,
    registry="Puro.earth",
    registry_url="https://registry.example/retirements/4711",
    evidence_sha256="e5" * 32,
    project_id="PUR-2031",
    project_name="Biochar of Brännland",
    country="SE",
    credit_type="removal",
    standard="Puro Standard 2.1",
    vintage="2025",
    serials=Serials(first="SE-2031-25-000001", last="SE-2031-25-000010"),
    retired_on=date(2026, 9, 30),
    beneficiary="Customers of the issuer, by receipt",
    durability_years=200,
    corresponding_adjustment=False,
)

SUBJECT = Subject(
    receipt_number="CR-2026-10-000123",
    period=Period.month(2026, 10),
    customer=Customer(commitment=document.commitment(SALT, NAME)),
    activity=Activity(
        total=Tokens(input_uncached=9_000, cache_read=15_000, output=4_000, requests=12),
        coverage=Coverage(
            hours_expected=744,
            hours_observed=744,
            hours_reconciled=740,
            unmapped_models=(Uncounted(label="new-model", tokens=1_200),),
        ),
        models=(
            ModelUse(
                provider="openai",
                model="gpt-4o-2024-11-20",
                service_tier="default",
                input_uncached=9_000,
                cache_read=15_000,
                output=4_000,
                requests=12,
            ),
        ),
        annex_sha256="a1" * 32,
    ),
    energy=Energy(it_uwh=12_000_000, facility_uwh=13_800_000),
    emissions=Emissions(
        low_ug=2_000_000_000,
        central_ug=5_500_000_000,
        high_ug=19_000_000_000,
        mean_ug=6_997_681_000,
        electricity_central_ug=5_200_000_000,
        embodied_central_ug=300_000_000,
    ),
    factor_set=FactorSet(version="2026.11", sha256="fa" * 32),
    ledger=Ledger(merkle_root=merkle.EMPTY.hex(), rows=0),
    credits=Credits(
        basis="mean",
        required_mg=7_000_000,
        retired_mg=7_000_000,
        retirements=(RETIREMENT,),
        adjustments=(Adjustment(period=Period.month(2026, 9), change="increase", mean_ug=2_319_000),),
        carried_out_mg=0,
    ),
)

RECEIPT = Receipt(
    id=UUID("6fa0a2a1-3c1d-4a4e-9a5b-0e6a5b0d8c11"),
    issued_at=ISSUED,
    status_list=1,
    status_index=94_567,
    subject=SUBJECT,
)


def unsigned(**changes: Any) -> dict[str, Any]:
    return document.unsigned(replace(RECEIPT, **changes), SITE)


@cache
def text() -> bytes:
    """The canonical text of a signed receipt."""
    return canonical.encode(credential.sign(unsigned(), KEY, ISSUED))


def signed() -> dict[str, Any]:
    return json.loads(text())


def changed(**members: object) -> bytes:
    """A receipt with members that nobody signed."""
    return json.dumps(signed() | members).encode()


def tree(hashes: list[bytes]) -> merkle.Node:
    """The nodes of a tree whose leaves have these hashes."""
    nodes: dict[tuple[int, int], bytes] = {}

    def node(level: int, index: int) -> bytes:
        return nodes[level, index]

    for size, leaf in enumerate(hashes):
        nodes |= {(level, index): value for level, index, value in merkle.grown(size, leaf, node)}
    return node


def proof(
    leaf: bytes, index: int = 3, size: int = 7, signer: LocalKey = LOG_SIGNER, name: str = LOG.name
) -> str:
    """The tlog-proof of a leaf that stands at `index` in a log of `size`."""
    hashes = [merkle.leaf_hash(leaf if at == index else b"leaf %d" % at) for at in range(size)]
    node = tree(hashes)
    checkpoint = note.Checkpoint(name, size, merkle.root(size, node))
    hashes = merkle.inclusion_proof(index, size, node)
    return str(note.Inclusion(index, tuple(hashes), note.sign(str(checkpoint), name, signer)))


def texts(value: Any) -> Iterator[str]:
    """Every text and every name in a document."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from texts(member)
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry)
    elif isinstance(value, str):
        yield value
