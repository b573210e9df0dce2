"""Receipts as PDF with all that is attached; beside them xhtml2pdf alone, drawing the same page."""

from collections.abc import Iterator
from functools import partial
from io import BytesIO

from xhtml2pdf.config.resources import ResourceAccessPolicy
from xhtml2pdf.document import pisaDocument

from receipts import document, pdf
from tests.bench.estimates import Call, rate
from tests.bench.pairs import PAIRS, Comparison, compare, in_turn
from tests.receipts.examples import NAME, SALT, SITE, proof, signed, text

ADDRESS = f"{SITE}/verify/7h3k9m2p4q6r8s0t1v5w7x9y2z"
AT_A_TIME = 5  # pages


def measure() -> Iterator[Comparison]:
    receipt, shown = signed(), pdf.MOST_SHOWN
    place = proof(document.leaf(receipt))
    page = pdf.html(receipt, address=ADDRESS, customer=NAME, proof=place, shown=shown)
    ours = partial(pdf.render, text(), address=ADDRESS, customer=NAME, salt=SALT, proof=place)
    bare = partial(draw, page)
    for call in (ours, bare):
        call()  # what is read once is read
    pairs = [in_turn(number, partial(pages, ours), partial(pages, bare)) for number in range(PAIRS)]
    yield compare("receipt as PDF / xhtml2pdf of the same page", pairs, target=0.9, unit="pages/s")


def draw(page: str) -> None:
    anything = ResourceAccessPolicy(allow_local_outside_base=True)
    pisaDocument(page, BytesIO(), path=str(pdf.FONTS.parent / "receipt.html"), resource_policy=anything)


def pages(call: Call) -> float:
    return rate([call] * AT_A_TIME)
