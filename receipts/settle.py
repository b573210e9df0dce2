"""Settling a frozen period: milligrams of retired credits, a signed receipt, and its leaf in the log, all at once or not at all."""

import json
import secrets
from datetime import datetime
from uuid import uuid4

from django.conf import settings

from billing.models import BillingPeriod
from billing.services import State, advance, lock_period
from carbon_site.ids import new_id
from carbon_site.transactions import transaction, transaction_required
from projects import entitlements
from projects.models import Organization
from receipts import canonical, credential, document, jws, status_list
from receipts.content import subject
from receipts.credits import allocate
from receipts.log import append, open_log
from receipts.models import Allocation, CarbonReceipt, LogHead, SigningKey, StatusList
from receipts.receipt import Receipt
from receipts.signers import receipt_signer

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # without letters that are taken for others
TOKEN_LENGTH = 26
STATUS_LIST = 1


class KeyChanged(RuntimeError):
    """The settings hold another key under a name that was used before."""


@transaction
def settle(*, organization_id: str, period_id: str, now: datetime) -> BillingPeriod:
    """Retire for a frozen period and sign its receipt; with nothing to retire it is settled; with too little it waits.

    Settling a settled period changes nothing. A crash anywhere leaves nothing.
    """
    period = lock_period(organization_id=organization_id, period_id=period_id)
    if period.state not in (State.FROZEN, State.WAITING_SUPPLY):
        return period
    if not period.retire_mg:
        advance(period, to=State.SETTLED)
        return period
    made = allocate(period, period.retire_mg, is_demonstration=_is_demonstration(organization_id, now))
    if made:
        _sign(period, made, now)
    advance(period, to=State.ALLOCATED if made else State.WAITING_SUPPLY)
    return period


def _is_demonstration(organization_id: str, now: datetime) -> bool:
    return entitlements.allowed(organization_id, "connections", now=now).plan == entitlements.DEMONSTRATION


@transaction_required
def _sign(period: BillingPeriod, allocations: list[Allocation], now: datetime) -> CarbonReceipt:
    """The receipt, checked with a second library before it is kept, and its leaf."""
    signer = receipt_signer()
    _note_key(signer.public.kid, signer.public.raw)
    head = open_log()
    places = _status_list(now)
    salt, customer = secrets.token_bytes(document.SALT), Organization.objects.get(pk=period.organization_id)
    receipt = Receipt(
        id=uuid4(),
        issued_at=now.replace(microsecond=0),
        status_list=places.number,
        status_index=secrets.randbelow(status_list.SIZE),  # the database refuses one that is taken
        subject=subject(period, allocations, customer=customer, salt=salt, number=_number(period, head)),
    )
    unsigned = document.unsigned(receipt, settings.PUBLIC_BASE_URL)
    signed = credential.sign(unsigned, signer, receipt.issued_at)
    return CarbonReceipt.objects.for_organization(period.organization_id).create(
        pk=new_id("rcp"),
        organization_id=period.organization_id,
        period=period,
        number=receipt.subject.receipt_number,
        token="".join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH)),
        urn=receipt.id,
        document=canonical.encode(signed).decode(),
        jws=jws.sign(unsigned, signer),
        sha256=canonical.sha256(signed),
        status_list=places,
        status_index=receipt.status_index,
        leaf_index=append(head, [document.leaf(signed)])[0],
        salt=salt,
        customer=customer.name,
        issued_at=receipt.issued_at,
    )


def _note_key(kid: str, raw: bytes) -> None:
    """Keep the public key, so that it stays published. Raises KeyChanged."""
    key, _ = SigningKey.objects.get_or_create(kid=kid, defaults={"raw": raw})
    if bytes(key.raw) != raw:
        raise KeyChanged(f"the key {kid} was another one; give the new one a name of its own")


def _number(period: BillingPeriod, head: LogHead) -> str:
    """Its last part is where it stands in the log, counted from one; so it is never used twice."""
    return f"CR-{period.month:%Y-%m}-{head.size + 1:06d}"


def _status_list(now: datetime) -> StatusList:
    """The list in which new receipts get a place; made, with no bit set, for the first of them."""
    found = StatusList.objects.only("number").filter(number=STATUS_LIST).first()  # its bits are 16 KiB
    return found or StatusList.objects.create(
        number=STATUS_LIST,
        bits=status_list.empty(),
        document=_signed_list(STATUS_LIST, status_list.empty(), now),
    )


def _signed_list(number: int, bits: bytes, now: datetime) -> str:
    signer, issued_at = receipt_signer(), now.replace(microsecond=0)
    address = f"{settings.PUBLIC_BASE_URL}/status/{number}"
    unsigned = status_list.credential(address, signer.public.issuer, issued_at, bits)
    return json.dumps(credential.sign(unsigned, signer, issued_at))
