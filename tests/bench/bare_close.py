"""The least that closes a month: what is to be written is known; it is hashed, signed, checked and put into its tables.

Two transactions an organisation, as a freeze stands where there are no credits. Everything is made once and used wherever it
is needed, and the second library is asked wherever ours asks it.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

import jwt
import psycopg
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.transaction import atomic
from psycopg.types.json import Jsonb

from billing.models import FIGURES, BillingPeriod
from carbon_site import merkle
from carbon_site.ids import decode, uuid7
from carbon_site.periods import Period
from emissions import frozen
from projects import tenancy
from receipts import credential, document, jws, log, note, status_list
from receipts.keys import base64url
from receipts.models import Allocation, CarbonReceipt
from receipts.multikey import to_multibase
from receipts.signers import log_signer, receipt_signer

ENTER = "SELECT set_config('carbon.organization', %s, false)"
OBSERVE = """
UPDATE telemetry_ledger SET observed_at = greatest(observed_at + interval '1 microsecond', %s)
WHERE organization_id = %s RETURNING observed_at
"""
SEAL = "INSERT INTO telemetry_sealedmonth (organization_id, month, observed_at) VALUES (%s, %s, %s)"
COLUMNS = [name if name != "factors" else "factors_id" for name in FIGURES]
FREEZE = f"""
UPDATE billing_billingperiod SET state = 'frozen', {", ".join(f"{name} = %({name})s" for name in COLUMNS)}
WHERE organization_id = %(organization)s AND month = %(month)s RETURNING id
"""
ADVANCE = "UPDATE billing_billingperiod SET state = 'allocated' WHERE id = %s AND state = 'frozen'"
HEAD = "SELECT size FROM receipts_loghead WHERE id = 1 FOR UPDATE"
TAKE = "UPDATE receipts_creditbatch SET allocated_mg = allocated_mg + %s WHERE id = %s RETURNING allocated_mg"
ALLOCATE = (
    "INSERT INTO receipts_allocation (organization_id, period_id, batch_id, span) VALUES (%s, %s, %s, %s)"
)
PEAKS = """
SELECT level, index, digest FROM receipts_lognode WHERE (level, index) IN (SELECT * FROM unnest(%s::int[], %s::bigint[]))
"""
RECEIPT = """
INSERT INTO receipts_carbonreceipt (id, organization_id, period_id, number, token, urn, document, jws, sha256, status_list_id,
                                    status_index, leaf_index, salt, customer, issued_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 1, %s, %s, %s, %s, %s)
"""
LEAF = "INSERT INTO receipts_logleaf (index, body) VALUES (%s, %s)"
NODES = "INSERT INTO receipts_lognode (level, index, digest) SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bytea[])"
GROWN = "UPDATE receipts_loghead SET size = %s, root = %s, checkpoint = %s WHERE id = 1"

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Told:
    """What a close is told of a month: its frozen lines and figures, what is retired, and what the receipt says."""

    period: Period
    lines: list[bytes]
    figures: dict[str, Any]
    customer: str
    batch: UUID
    mg: int
    unsigned: dict[str, Any]


def left_behind(organization_id: str, month: Period) -> Told:
    """What the close of one organisation has left, for others that have used the same."""
    with tenancy.organization(organization_id):
        receipt, allocation = CarbonReceipt.unscoped.get(), Allocation.unscoped.get()
        period = BillingPeriod.unscoped.get(pk=receipt.period_id)
        figures = {name: getattr(period, name) for name in COLUMNS}
        assert period.sealed_at
        with atomic():
            lines = list(frozen.lines(organization_id, month, period.sealed_at))
    figures |= {"factors_id": decode(period.factors_id)}
    figures |= {name: Jsonb(figures[name]) for name in ("combinations", "coverage")}
    unsigned = {name: value for name, value in receipt.signed.items() if name != "proof"}
    return Told(month, lines, figures, receipt.customer, allocation.batch_id, allocation.mg, unsigned)


@contextmanager
def connected() -> Iterator[Connection]:
    options = "-c role=carbon_app"
    with psycopg.connect(settings.DATABASE_URL, autocommit=True, options=options) as connection:
        yield connection


def close(connection: Connection, told: Told, organizations: list[str], now: datetime) -> float:
    """Receipts a second."""
    began = perf_counter()
    for organization in (decode(each) for each in organizations):
        connection.execute(ENTER, [str(organization)])
        with connection.transaction():
            period = _freeze(connection, told, organization, now)
        with connection.transaction():
            _settle(connection, told, organization, period, now)
    return len(organizations) / (perf_counter() - began)


def _freeze(connection: Connection, told: Told, organization: UUID, now: datetime) -> UUID:
    month = told.period.first_day
    (sealed_at,) = _one(connection, OBSERVE, [now, organization])
    connection.execute(SEAL, [organization, month, sealed_at])
    fresh = {"frozen_at": now, "sealed_at": sealed_at, "root": merkle.root_of(told.lines)}
    named = {"organization": organization, "month": month}
    return _one(connection, FREEZE, told.figures | fresh | named)[0]


def _settle(connection: Connection, told: Told, organization: UUID, period: UUID, now: datetime) -> None:
    connection.execute(ADVANCE, [period])
    (size,) = _one(connection, HEAD)
    (end,) = _one(connection, TAKE, [told.mg, told.batch])
    connection.execute(ALLOCATE, [organization, period, told.batch, NumericRange(end - told.mg, end)])
    urn, place, salt = uuid4(), secrets.randbelow(status_list.SIZE), secrets.token_bytes(document.SALT)
    number = f"CR-{told.period.first_day:%Y-%m}-{size + 1:06d}"
    unsigned = _unsigned(told, urn, place, salt, number, end)
    signed, token, digest, leaf = _signed(unsigned, now)
    connection.execute(
        RECEIPT,
        [
            uuid7(), organization, period, number, secrets.token_hex(13), urn, signed, token, digest, place, size, salt,
            told.customer, now,
        ],
    )  # fmt: skip
    _append(connection, size, leaf)


def _one(connection: Connection, statement: str, parameters: Any = None) -> tuple[Any, ...]:
    row = connection.execute(statement, parameters).fetchone()
    assert row
    return row


def _unsigned(told: Told, urn: UUID, place: int, salt: bytes, number: str, end: int) -> dict[str, Any]:
    """The receipt of the rehearsal, with what is another's in each."""
    subject = told.unsigned["credentialSubject"]
    (slice_of,) = subject["credits"]["retirements"]
    retirements = [slice_of | {"offsetMg": str(end - told.mg)}]
    return told.unsigned | {
        "id": urn.urn,
        "credentialStatus": status_list.entry(f"{settings.PUBLIC_BASE_URL}/status/1", place),
        "credentialSubject": subject
        | {
            "receiptNumber": number,
            "customer": {"commitment": document.commitment(salt, told.customer)},
            "credits": subject["credits"] | {"retirements": retirements},
        },
    }


def _signed(unsigned: dict[str, Any], now: datetime) -> tuple[str, str, str, bytes]:
    """The document and the JWS, each signed and checked by a second library; the hash, and the leaf."""
    signer, canonical = receipt_signer(), rfc8785.dumps(unsigned)
    proof = credential.proof_options(unsigned, signer.public, now)
    message = hashlib.sha256(rfc8785.dumps(proof)).digest() + hashlib.sha256(canonical).digest()
    signature = signer.sign(message)
    plain = [json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() for part in (proof, unsigned)]  # fmt: skip
    again = b"".join(hashlib.sha256(part).digest() for part in plain)
    assert signer.public.verifies(signature, message)
    Ed25519PublicKey.from_public_bytes(signer.public.raw).verify(signature, again)

    head = f"{base64url(rfc8785.dumps(jws.KIND | {'kid': signer.public.id}))}.{base64url(canonical)}"
    token_signature = signer.sign(head.encode())
    token = f"{head}.{base64url(token_signature)}"
    assert signer.public.verifies(token_signature, head.encode())
    key = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": base64url(signer.public.raw)}).key
    jwt.PyJWS().decode(token, key, ["EdDSA"])

    signed = rfc8785.dumps(unsigned | {"proof": proof | {"proofValue": to_multibase(signature)}})
    digest = hashlib.sha256(signed).hexdigest()
    slices = [
        {name: each[name] for name in document.SLICE}
        for each in unsigned["credentialSubject"]["credits"]["retirements"]
    ]
    leaf = rfc8785.dumps({"type": "receipt", "sha256": digest, "allocations": slices})
    return signed.decode(), token, digest, leaf


def _append(connection: Connection, size: int, leaf: bytes) -> None:
    """The leaf, the nodes that are whole with it, and the head under a signed checkpoint."""
    levels, indices = zip(*merkle.peaks(size), strict=True)
    peaks = connection.execute(PEAKS, [list(levels), list(indices)])
    known = {(level, index): digest for level, index, digest in peaks}
    grown = merkle.grown(size, merkle.leaf_hash(leaf), lambda *place: known[place])
    known |= {(level, index): digest for level, index, digest in grown}
    root = merkle.root(size + 1, lambda *place: known[place])
    checkpoint = note.Checkpoint(log.origin(), size + 1, root)
    connection.execute(LEAF, [size, leaf])
    connection.execute(NODES, [list(column) for column in zip(*grown, strict=True)])
    connection.execute(GROWN, [size + 1, root, note.sign(str(checkpoint), log.origin(), log_signer())])
