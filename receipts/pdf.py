"""A receipt as a PDF of one page with the signed document and what proves it attached; and the way back from such a PDF.

The same receipt and proof make the same bytes, on any day and in any process that has the same libraries.
"""

import json
import unicodedata
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template.loader import render_to_string

from receipts import canonical
from receipts.note import Inclusion
from receipts.pdf_page import page

if TYPE_CHECKING:
    from pypdf import PdfWriter

# xhtml2pdf and pypdf take almost two seconds to import, which only who renders or reads a PDF should wait for: they are
# imported where they are used.

FONTS = Path(__file__).parent / "fonts"
FACES = (FONTS / "NotoSans-Regular.ttf", FONTS / "NotoSans-Bold.ttf")
ICON = settings.BASE_DIR / "carbon_site" / "static" / "carbon" / "icon.svg"
MOST_SHOWN = 6  # retirements; fewer where their names are long
PIXELS = 8  # a module of the QR code is as many wide
RECEIPT, PROOF, CUSTOMER = "receipt.json", "receipt.tlog-proof", "customer.json"


class GlyphMissing(ValueError):
    """The fonts have no picture of a character that the page would show."""


class PageOverflow(ValueError):
    """What a receipt must say does not fit on one page."""


class PdfUnreadable(ValueError):
    """It is not a PDF to which one of our receipts is attached."""


def render(document: bytes, *, address: str, customer: str, salt: bytes, proof: str) -> bytes:
    """The PDF of a signed document, as it is stored, with its place in the log and its public address.

    It shows as many retirements as fit, and how many more there are. Raises GlyphMissing or PageOverflow.
    """
    signed, name = canonical.read(document), unicodedata.normalize("NFC", customer)
    for shown in range(MOST_SHOWN, -1, -1):
        pdf = _drawn(html(signed, address=address, customer=name, proof=proof, shown=shown))
        if len(pdf.pages) == 1:
            break
    else:
        raise PageOverflow("The receipt does not fit on one page.")
    pdf.add_attachment(RECEIPT, document)
    pdf.add_attachment(PROOF, proof.encode())
    pdf.add_attachment(CUSTOMER, json.dumps({"name": name, "salt": salt.hex()}, ensure_ascii=False).encode())
    return _written(pdf, signed)


def html(signed: dict[str, Any], *, address: str, customer: str, proof: str, shown: int) -> str:
    """The page before it is drawn. Raises GlyphMissing."""
    said = page(signed, customer=customer, shown=shown) | {
        "address": address,
        "sha256": canonical.sha256(signed),
        "log_index": Inclusion.parse(proof).index,
        "qr": qr(address),
        "fonts": FONTS.name,
        "icon": ICON,
    }
    text = render_to_string("receipts/receipt.html", said)
    for character in sorted(set(text) - {"\n"}):
        if ord(character) not in glyphs():
            raise GlyphMissing(f"The fonts have no {character!a} ({unicodedata.name(character, 'unnamed')}).")
    return text


def qr(address: str) -> str:
    """The QR code of an address, as the address of a picture. The page's own white is its margin."""
    import segno

    code = segno.make_qr(address, error="m", boost_error=False)
    return code.png_data_uri(scale=PIXELS, border=0)


@cache
def glyphs() -> frozenset[int]:
    """The characters that can be shown, in bold too."""
    from reportlab.pdfbase.ttfonts import TTFontFile

    regular, bold = (set(TTFontFile(str(face)).charToGlyph) for face in FACES)
    return frozenset(regular & bold)


def draw(text: str) -> bytes:
    """The page as xhtml2pdf draws it: from our own fonts and icon, and from nothing else on this machine or any other."""
    from reportlab import rl_config
    from xhtml2pdf.config.resources import ResourceAccessPolicy
    from xhtml2pdf.document import pisaDocument

    rl_config.invariant = 1  # no time and no random number in the file
    ours = ResourceAccessPolicy.server(FONTS, extra_roots=(ICON.parent,), allow_remote=False)
    drawn = BytesIO()
    if pisaDocument(text, drawn, path=str(FONTS.parent / "receipt.html"), resource_policy=ours).err:
        raise RuntimeError("xhtml2pdf could not draw the page")
    return drawn.getvalue()


def _drawn(text: str) -> "PdfWriter":
    from pypdf import PdfWriter

    return PdfWriter(clone_from=BytesIO(draw(text)))


def _written(pdf: "PdfWriter", signed: dict[str, Any]) -> bytes:
    """As a file that was made when the receipt was issued."""
    issued_at = datetime.fromisoformat(signed["validFrom"])
    pdf.add_metadata(
        {
            "/Title": f"Carbon receipt {signed['credentialSubject']['receiptNumber']}",
            "/Author": "Carbon of inference",
            "/CreationDate": f"D:{issued_at:%Y%m%d%H%M%S}Z",
            "/ModDate": f"D:{issued_at:%Y%m%d%H%M%S}Z",
        }
    )
    written = BytesIO()
    pdf.write(written)
    return written.getvalue()


def attached(pdf: bytes) -> dict[str, bytes]:
    """What `render` attached, by name; other programs may have saved the PDF since. Raises PdfUnreadable."""
    from pypdf import PdfReader

    try:
        found = PdfReader(BytesIO(pdf), strict=False).attachments
        own = {name: found[name] for name in (RECEIPT, PROOF, CUSTOMER) if name in found}
    except Exception as error:  # a broken file makes pypdf stumble in many ways
        raise PdfUnreadable(f"The PDF cannot be read: {error}.") from error
    if RECEIPT not in own or any(len(contents) > 1 for contents in own.values()):
        raise PdfUnreadable(f"The PDF does not have one {RECEIPT} attached.")
    return {name: content for name, (content,) in own.items()}
