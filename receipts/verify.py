"""Is this a receipt of ours, as it was signed? Decided from the document and the known keys alone, without any network.

Nothing in a document is believed about itself: it may name a key, and never bring one.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from receipts import canonical, credential, jws
from receipts.document import SALT, TYPE, commitment, leaf
from receipts.keys import PublicKey
from receipts.note import Inclusion, LogKey
from receipts.refusals import (
    VALID,
    BadProof,
    BadSignature,
    KeyCompromised,
    NotInLog,
    Profile,
    Refusal,
    Superseded,
    UnknownHere,
    UnknownKey,
    Withdrawn,
    WrongIssuer,
)

SALT_TEXT = re.compile(rf"[0-9a-f]{{{2 * SALT}}}")


class Standing(StrEnum):
    """What the issuer's records say of a receipt today."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


OUT_OF_DATE: dict[Standing, type[Refusal]] = {
    Standing.SUPERSEDED: Superseded,
    Standing.WITHDRAWN: Withdrawn,
    Standing.UNKNOWN: UnknownHere,
}


@dataclass(frozen=True)
class Verdict:
    """What was found out. Each of the four answers is None where it was not, or could not be, looked at."""

    refusal: Refusal | None = None
    unaltered: bool | None = None
    issued: bool | None = None  # by the owner of `key`
    logged: bool | None = None
    current: bool | None = None
    key: PublicKey | None = None
    log_index: int | None = None
    receipt: Mapping[str, Any] | None = None  # its values as they were read: show these, never the text
    customer: str | None = None  # the name in a bundle, if it is the one that the receipt commits to

    @property
    def reason(self) -> str:
        """The stable word."""
        return self.refusal.reason() if self.refusal else VALID


@dataclass(frozen=True)
class Papers:
    """What was handed in, taken apart and not yet believed."""

    receipt: dict[str, Any]
    key_id: str
    check: Callable[[PublicKey], None]
    is_whole: bool = True  # with its proof, which is what the log holds
    proof: str | None = None
    customer: Mapping[str, Any] | None = None


def verify(
    text: bytes,
    keys: Iterable[PublicKey],
    *,
    log: LogKey | None = None,
    proof: str | None = None,
    customer: bytes | None = None,
    standing: Standing | None = None,
) -> Verdict:
    """The verdict on a receipt, its JWS or a bundle; from a PDF, on the attachments.

    With `log` it must be proven that the receipt stands there, by `proof` or by the one in the bundle. `customer` is
    what opens the commitment, as JSON, where it is not in a bundle.
    """
    try:
        papers = _papers(text)
        if customer is not None:
            papers = replace(papers, customer=_opening(customer))
        key = _signer(papers, keys)
    except BadSignature as refusal:
        return Verdict(refusal, unaltered=False)
    except (UnknownKey, WrongIssuer) as refusal:
        return Verdict(refusal, issued=False)
    except Refusal as refusal:
        return Verdict(refusal)

    index, unproven = _place(papers, proof or papers.proof, log)
    name, misnamed = _customer(papers)
    stale = OUT_OF_DATE[standing]() if standing in OUT_OF_DATE else None
    return Verdict(
        _distrust(key, index) or unproven or misnamed or stale,
        unaltered=True,
        issued=not _distrust(key, index),
        logged=None if log is None else not unproven,
        current=None if standing is None else not stale,
        key=key,
        log_index=index,
        receipt=papers.receipt,
        customer=name,
    )


def _papers(text: bytes) -> Papers:
    if jws.COMPACT.fullmatch(text.strip()):
        token = jws.read(text.strip())
        return Papers(_receipt(token.payload), token.key_id, token.check, is_whole=False)
    document = canonical.read(text)
    if not isinstance(document, dict) or "receipt" not in document:
        return _signed(document)
    proof, customer = document.get("tlogProof"), document.get("customer")
    if not isinstance(proof, str | None) or not isinstance(customer, dict | None):
        raise Profile("The bundle is not a receipt with a proof and a customer.")
    canonical.check(customer or {})
    return _signed(document["receipt"], proof=proof, customer=customer)


def _opening(text: bytes) -> dict[str, Any]:
    customer = canonical.read(text)
    canonical.check(customer)
    return dict(customer)


def _signed(document: Any, **others: Any) -> Papers:
    receipt = _receipt(document)
    return Papers(receipt, credential.key_id(receipt), partial(credential.check, receipt), **others)


def _receipt(document: Any) -> dict[str, Any]:
    """Our keys also sign status lists, which are no receipts."""
    canonical.check(document)
    if document.get("type") != ["VerifiableCredential", TYPE]:
        raise Profile(f"The document is not a {TYPE}.")
    return document


def _signer(papers: Papers, keys: Iterable[PublicKey]) -> PublicKey:
    key = {key.id: key for key in keys}.get(papers.key_id)
    if not key:
        raise UnknownKey(f"It names the key {papers.key_id}.")
    if papers.receipt.get("issuer") != key.issuer:
        raise WrongIssuer(f"It names {papers.receipt.get('issuer')}; the key is of {key.issuer}.")
    papers.check(key)
    return key


def _place(papers: Papers, proof: str | None, log: LogKey | None) -> tuple[int | None, Refusal | None]:
    """Where in the log the receipt stands, or why that is not proven; neither, if nobody asked."""
    if log is None:
        return None, None
    if not papers.is_whole:
        return None, NotInLog("The log holds the receipt with its proof, and this is its JWS.")
    if proof is None:
        return None, NotInLog(f"There is no proof from {log.name} with it.")
    try:
        inclusion = Inclusion.parse(proof)
        inclusion.check(leaf(papers.receipt), log)
    except BadProof as refusal:
        return None, refusal
    return inclusion.index, None


def _distrust(key: PublicKey, index: int | None) -> Refusal | None:
    lost = key.compromised
    if not lost or (index is not None and index < lost.log_index):
        return None
    return KeyCompromised(f"{key.id} is not trusted since {canonical.instant(lost.at)}.")


def _customer(papers: Papers) -> tuple[str | None, Refusal | None]:
    """The name in a bundle, once it opens the receipt's commitment."""
    if papers.customer is None:
        return None, None
    match papers.customer:
        case {"name": str(name), "salt": str(salt)} if SALT_TEXT.fullmatch(salt):
            if commitment(bytes.fromhex(salt), name) == _committed(papers.receipt):
                return name, None
    return None, BadProof("The name in the bundle is not the one that the receipt commits to.")


def _committed(receipt: Mapping[str, Any]) -> str:
    return str(receipt["credentialSubject"]["customer"]["commitment"])
