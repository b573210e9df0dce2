"""The page of a receipt: what it says, that it is one page, that it never differs; and what is found in it again."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from io import BytesIO

import pytest
from django.conf import settings
from pypdf import PdfReader, PdfWriter

from receipts import canonical, credential, document, pdf
from receipts.pdf_page import amount
from receipts.verify import verify
from tests.claims import claims
from tests.receipts.examples import (
    ISSUED,
    KEY,
    LOG,
    NAME,
    RETIREMENT,
    SALT,
    SITE,
    SUBJECT,
    proof,
    signed,
    text,
    unsigned,
)

TOKEN = "7h3k9m2p4q6r8s0t1v5w7x9y2z"
ADDRESS = f"{SITE}/verify/{TOKEN}"
PROOF = proof(document.leaf(signed()))
DIGEST = "from tests.receipts.test_pdf import rendered; import hashlib; print(hashlib.sha256(rendered()).hexdigest())"


@cache
def rendered(of: bytes = b"", customer: str = NAME) -> bytes:
    return pdf.render(of or text(), address=ADDRESS, customer=customer, salt=SALT, proof=PROOF)


def retired(times: int, **changes) -> bytes:
    """A receipt with so many retirements."""
    slices = tuple(
        replace(RETIREMENT, offset_mg=10**6 * place, length_mg=10**6, **changes) for place in range(times)
    )
    assert SUBJECT.credits
    stated = replace(SUBJECT.credits, retirements=slices, retired_mg=times * 10**6)
    made = unsigned(subject=replace(SUBJECT, credits=stated))
    return canonical.encode(credential.sign(made, KEY, ISSUED))


def read(made: bytes) -> str:
    """The text of its only page, without its line feeds."""
    (page,) = PdfReader(BytesIO(made)).pages
    return " ".join(page.extract_text().split())


class TestPage:
    @pytest.mark.parametrize(
        "said",
        [
            "7,000 g of credits retired",
            f"on behalf of {NAME}",
            "2026-10-01 to 2026-10-31",
            "CR-2026-10-000123",
            "2026-11-03 00:40:00",
            "2,000 g 5,500 g 19,000 g 6,997.681 g",
            "13.8 Wh",
            "9,000 input · 15,000 cache read · 4,000 output",
            f"2026.11, SHA-256 {SUBJECT.factor_set.sha256}",
            SUBJECT.ledger.merkle_root,
            "Puro.earth PUR-2031 Biochar of Brännland, SE removal 2025",
            "SE-2031-25-000001 to SE-2031-25-000010 grams 1,000 to 8,000 of 10,000,000 2026-09-30",
            ADDRESS,
            KEY.public.id,
            canonical.sha256(signed()),
            "does not reduce the emissions",
            "apart from the inventory",
        ],
    )
    def test_says(self, said):
        assert said in read(rendered())

    def test_does_not_say_demonstration_of_real_credits(self):
        assert "DEMONSTRATION" not in read(rendered())

    def test_says_demonstration_of_credits_that_no_registry_knows(self):
        assert "DEMONSTRATION" in read(rendered(retired(1, demonstration=True)))

    def test_makes_no_claim(self):
        assert claims(read(rendered())) == []

    def test_shows_the_icon_and_the_code(self):
        (page,) = PdfReader(BytesIO(rendered())).pages

        assert len(page.images) == 1
        assert b".74902 .909804 .811765 rg" in page.get_contents().get_data()  # the leaf of the icon

    def test_holds_six_retirements(self):
        said = read(rendered(retired(6, demonstration=True), customer="Ünïted Tokens Ltd & Co. " * 5))

        assert (said.count("PUR-2031"), "more in the attached" in said) == (6, False)

    def test_says_how_many_do_not_fit(self):
        assert "and 3 more in the attached document" in read(rendered(retired(9)))

    def test_shows_fewer_where_their_names_are_long(self):
        named = retired(6, project_name="A project of a name " * 10, registry="R" * 60)

        assert "more in the attached document" in read(rendered(named))

    def test_takes_a_name_for_a_name(self):
        assert "<pdf:nextpage/> & <b>Söhne</b>" in read(rendered(customer="<pdf:nextpage/> & <b>Söhne</b>"))

    @pytest.mark.parametrize("name", ["Žluťoučký kůň", "Ελληνικά ΑΕ", "ООО «Ромашка»", "Ţepeş € & Łódź"])
    def test_has_the_letters_of_europe(self, name):
        assert name in read(rendered(customer=name))

    @pytest.mark.parametrize(
        ("name", "missing"), [("株式会社", "4F1A"), ("A 🌱", "SEEDLING"), ("שלום", "HEBREW")]
    )
    def test_refuses_a_character_without_a_glyph(self, name, missing):
        with pytest.raises(pdf.GlyphMissing, match=missing):
            rendered(customer=name)

    @pytest.mark.parametrize(
        ("count", "said"), [("7000500", "7,000.5"), ("0", "0"), ("1", "0.001"), ("1234000", "1,234")]
    )
    def test_writes_amounts_exactly(self, count, said):
        assert amount(count, 3) == said


class TestFile:
    def test_is_the_same_in_another_process(self):
        script = f"import django; django.setup(); {DIGEST}"
        environment = {
            "DJANGO_SETTINGS_MODULE": "carbon_site.settings",
            "CARBON_STATE_DIR": str(settings.STATE_DIR),
        }

        there = subprocess.run(
            [sys.executable, "-c", script],
            cwd=settings.BASE_DIR,
            env=environment,
            capture_output=True,
            check=True,
        )

        assert there.stdout.decode().strip() == hashlib.sha256(rendered()).hexdigest()

    def test_is_dated_when_the_receipt_was_issued(self):
        assert PdfReader(BytesIO(rendered())).metadata.creation_date == ISSUED

    def test_has_its_letters_in_it(self):
        (page,) = PdfReader(BytesIO(rendered())).pages
        fonts = [font.get_object() for font in page["/Resources"]["/Font"].get_object().values()]

        embedded = [font["/BaseFont"] for font in fonts if "/FontFile2" in font.get("/FontDescriptor", {})]
        assert sorted(name.partition("+")[2] for name in embedded) == ["NotoSans-Bold", "NotoSans-Regular"]

    def test_reads_nothing_but_our_own_files(self, tmp_path, caplog):
        (tmp_path / "secret.svg").write_text("<svg/>")

        pdf.draw(f"<img src='{tmp_path}/secret.svg'><img src='http://127.0.0.1:1/x.png'>")

        assert "outside" in caplog.text
        assert "remote resources are not allowed" in caplog.text


class TestAttached:
    def test_is_what_was_signed_and_what_proves_it(self):
        found = pdf.attached(rendered())

        assert found == {
            pdf.RECEIPT: text(),
            pdf.PROOF: PROOF.encode(),
            pdf.CUSTOMER: json.dumps({"name": NAME, "salt": SALT.hex()}, ensure_ascii=False).encode(),
        }

    def test_verifies(self):
        found = pdf.attached(rendered())

        verdict = verify(
            found[pdf.RECEIPT],
            [KEY.public],
            log=LOG,
            proof=found[pdf.PROOF].decode(),
            customer=found[pdf.CUSTOMER],
        )

        assert (verdict.reason, verdict.logged, verdict.customer) == ("valid", True, NAME)

    def test_is_found_after_another_program_saved_it(self):
        assert pdf.attached(saved_again(rendered())) == pdf.attached(rendered())

    @pytest.mark.parametrize("damaged", [lambda made: b"\n\n" + made, lambda made: made + b"\0" * 500])
    def test_is_found_in_a_file_that_is_a_little_broken(self, damaged):
        assert pdf.attached(damaged(rendered()))[pdf.RECEIPT] == text()

    @pytest.mark.parametrize(
        "other", [b"%PDF-1.7", b"", text(), b"%PDF-1.4 \x00\xff trailer <</Root 1 0 R>>"]
    )
    def test_is_not_found_in_what_is_no_whole_pdf(self, other):
        with pytest.raises(pdf.PdfUnreadable):
            pdf.attached(other)

    @pytest.mark.parametrize("times", [0, 2])
    def test_is_one_receipt(self, times):
        writer, made = PdfWriter(), BytesIO()
        writer.add_blank_page(100, 100)
        for _ in range(times):
            writer.add_attachment(pdf.RECEIPT, text())
        writer.write(made)

        with pytest.raises(pdf.PdfUnreadable, match="does not have one"):
            pdf.attached(made.getvalue())


def saved_again(made: bytes) -> bytes:
    """As others save it: with a page more, and its objects numbered anew."""
    writer, again = PdfWriter(clone_from=BytesIO(made)), BytesIO()
    writer.add_blank_page(100, 100)
    writer.compress_identical_objects()
    writer.write(again)
    return again.getvalue()
