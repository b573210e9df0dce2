"""Handing out a signed receipt: its page is rendered and stored, and then its period is receipted.

Outside of any transaction but for the last step, so that a crash anywhere only means that it is rendered again. Nothing is
signed here.
"""

import hashlib

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from billing.services import State, advance, lock_period
from carbon_site.transactions import transaction
from receipts import log, pdf
from receipts.models import CarbonReceipt, pdf_path


def hand_out(*, organization_id: str, period_id: str) -> None:
    """Give a period that has its credits its receipt's page. Elsewhere, and where that is done, it changes nothing.

    Raises pdf.GlyphMissing or pdf.PageOverflow where the page cannot be drawn; the period then stays where it is.
    """
    receipts = CarbonReceipt.objects.for_organization(organization_id).filter(period=period_id)
    receipt = receipts.filter(period__state=State.ALLOCATED).first()
    if receipt:
        _receipted(receipt, keep(rendered(receipt)))


def rendered(receipt: CarbonReceipt) -> bytes:
    """The PDF, from what is stored of the receipt and where the log took it: the same on any day."""
    return pdf.render(
        receipt.document.encode(),
        address=f"{settings.PUBLIC_BASE_URL}/verify/{receipt.token}",
        customer=receipt.customer,
        salt=bytes(receipt.salt),
        proof=log.inclusion_when_appended(receipt.leaf_index),
    )


def keep(page: bytes) -> str:
    """Store a page under its SHA-256, and answer with that. A file too many is harmless, one too few is not."""
    digest = hashlib.sha256(page).hexdigest()
    path = pdf_path(digest)
    if default_storage.exists(path):
        if _read(path) == page:
            return digest
        default_storage.delete(path)  # whoever wrote it was killed half way
    default_storage.save(path, ContentFile(page))
    return digest


def stored(receipt: CarbonReceipt) -> bytes | None:
    """The page that was handed out, or None before that."""
    return _read(pdf_path(receipt.pdf_sha256)) if receipt.pdf_sha256 else None


def _read(path: str) -> bytes:
    with default_storage.open(path) as file:
        return bytes(file.read())


@transaction
def _receipted(receipt: CarbonReceipt, digest: str) -> None:
    period = lock_period(organization_id=receipt.organization_id, period_id=receipt.period_id)
    if period.state == State.ALLOCATED:  # else somebody else was here first, and their page stands
        receipt.pdf_sha256 = digest
        receipt.save(update_fields=["pdf_sha256"])
        advance(period, to=State.RECEIPTED)
