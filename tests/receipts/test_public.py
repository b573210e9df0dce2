"""What a stranger fetches and checks, with nothing but addresses."""

import json
import subprocess
from io import BytesIO

import jsonschema
import pytest
from django.conf import settings
from django.core.management import call_command
from pypdf import PdfWriter

from carbon_site import merkle
from projects import tenancy
from receipts import document, log, note, pdf
from receipts.credits import load_batches
from receipts.hand_out import stored
from receipts.models import CarbonReceipt, LogLeaf
from receipts.published import read_did_document
from receipts.verify import verify
from tests import make
from tests.machine import needs
from tests.receipts.test_credits import retired
from tests.receipts.test_hand_out import handed_out
from tests.receipts.test_settle import frozen, settled


@pytest.fixture
def receipt(acme) -> CarbonReceipt:
    load_batches([retired(1, 1)])
    settled(frozen(acme))
    return CarbonReceipt.unscoped.get()


@pytest.fixture
def page(receipt) -> CarbonReceipt:
    """The receipt once it is handed out."""
    return handed_out(receipt.period)


@pytest.fixture
def stranger(client, receipt):
    """Nobody that the database was told of."""
    tenancy.enter_organization(make.organization("stranger").pk)
    return client


@pytest.mark.django_db
class TestStranger:
    def test_verifies_a_receipt_from_its_addresses_alone(self, stranger, receipt):
        there = f"/verify/{receipt.token}"
        signed, proof = stranger.get(f"{there}.json").content, stranger.get(f"{there}/proof").content.decode()
        keys = read_did_document(stranger.get("/.well-known/did.json").content)
        log_key = note.LogKey.parse(stranger.get("/log/key").content.decode())

        assert verify(signed, keys, log=log_key, proof=proof).reason == "valid"

    def test_verifies_the_jws_too(self, stranger, receipt):
        token = stranger.get(f"/verify/{receipt.token}.jws").content
        keys = read_did_document(stranger.get("/.well-known/did.json").content)

        assert verify(token, keys).reason == "valid"

    def test_gets_the_bytes_that_were_signed(self, stranger, receipt):
        answer = stranger.get(f"/verify/{receipt.token}.json")

        assert answer.content.decode() == receipt.document
        assert ("immutable" in answer["Cache-Control"], answer["Referrer-Policy"]) == (True, "no-referrer")
        assert answer["ETag"] == f'"{receipt.sha256}"'

    def test_gets_the_page_that_was_handed_out(self, page, stranger):
        answer = stranger.get(f"/verify/{page.token}.pdf")

        assert answer.content == stored(page)
        assert (answer["Content-Type"], answer["ETag"]) == ("application/pdf", f'"{page.pdf_sha256}"')
        assert answer["Content-Disposition"] == f'inline; filename="{page.number}.pdf"'
        assert "immutable" in answer["Cache-Control"]

    def test_gets_no_page_before_it_is_handed_out(self, stranger, receipt):
        assert stranger.get(f"/verify/{receipt.token}.pdf").status_code == 404

    @pytest.mark.parametrize("token", ["x" * 26, "short", "0" * 26, "%00" * 26, "A" * 26])
    def test_learns_nothing_of_a_receipt_that_is_not_there(self, stranger, token):
        assert stranger.get(f"/verify/{token}.json").status_code == 404

    def test_finds_the_receipt_current_in_the_status_list(self, stranger, receipt):
        entry = receipt.signed["credentialStatus"]
        address = entry["statusListCredential"].removeprefix(settings.PUBLIC_BASE_URL)
        keys = read_did_document(stranger.get("/.well-known/did.json").content)

        from receipts import status_list

        listed = stranger.get(address).json()
        assert status_list.is_current(receipt.signed, listed)
        assert [key.id for key in keys] == [listed["proof"]["verificationMethod"]]

    def test_finds_what_the_context_promises(self, stranger, receipt):
        address = receipt.signed["@context"][1].removeprefix(settings.PUBLIC_BASE_URL)

        assert "@context" in stranger.get(address).json()

    def test_finds_the_schema_that_the_receipt_keeps_to(self, stranger, receipt):
        jsonschema.validate(receipt.signed, stranger.get("/ns/carbon-receipt/v1/schema").json())

    def test_sees_a_checkpoint_over_all_leaves(self, stranger, receipt):
        checkpoint = note.Checkpoint.read(stranger.get("/log/checkpoint").content.decode(), log.log_key())

        leaves = [bytes(leaf.body) for leaf in LogLeaf.objects.order_by("index")]
        assert (checkpoint.size, checkpoint.root) == (2, merkle.root_of(leaves))

    @needs("jq", "openssl")
    def test_verifies_with_jq_and_openssl_alone(self, stranger, receipt, tmp_path):
        kid = receipt.signed["proof"]["verificationMethod"].partition("#")[2]
        (tmp_path / "receipt.json").write_bytes(stranger.get(f"/verify/{receipt.token}.json").content)
        (tmp_path / "key.pem").write_bytes(stranger.get(f"/keys/{kid}.pem").content)
        script = settings.BASE_DIR / "receipts/static/receipts/check_by_hand.sh"

        ran = subprocess.run(
            ["sh", script, "receipt.json", "key.pem"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

        assert "Signature Verified Successfully" in ran.stdout, ran.stderr


@pytest.mark.django_db
class TestCommand:
    def run(self, path, *options):
        with pytest.raises(SystemExit) as ended:
            call_command("verify_receipt", str(path), *options)
        return ended.value.code

    def test_says_valid(self, receipt, tmp_path, capsys):
        path = tmp_path / "receipt.json"
        path.write_bytes(b"\xef\xbb\xbf" + receipt.document.encode())

        assert (self.run(path), capsys.readouterr().out) == (0, "valid\n")

    def test_takes_keys_from_a_file(self, client, receipt, tmp_path, capsys):
        (tmp_path / "receipt.json").write_text(receipt.document)
        (tmp_path / "did.json").write_bytes(client.get("/.well-known/did.json").content)

        assert self.run(tmp_path / "receipt.json", "--keys", str(tmp_path / "did.json"), "--json") == 0
        assert json.loads(capsys.readouterr().out)["reason"] == "valid"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda text: text.replace('"rows":"3"', '"rows":"4"'), "bad_signature"),
            (lambda text: text.replace("{", '{"id":"x",', 1), "duplicate_key"),
            (lambda text: text[:-5], "not_json"),
        ],
    )
    def test_says_why_not(self, receipt, tmp_path, capsys, change, reason):
        path = tmp_path / "receipt.json"
        path.write_text(change(receipt.document))

        assert (self.run(path), capsys.readouterr().out.split(":")[0].strip()) == (1, reason)

    def test_reads_the_page_too(self, page, tmp_path, capsys):
        (tmp_path / "receipt.pdf").write_bytes(stored(page))

        code = self.run(tmp_path / "receipt.pdf", "--log", str(log.log_key()), "--json")

        said = json.loads(capsys.readouterr().out)
        assert (code, said["reason"], said["logged"]) == (0, "valid", True)

    @pytest.mark.parametrize(
        ("attachment", "change", "reason"),
        [
            (pdf.RECEIPT, (b'"rows":"3"', b'"rows":"4"'), "bad_signature"),
            (pdf.PROOF, (b"index 1", b"index 0"), "bad_proof"),
            (pdf.CUSTOMER, (b"Acme", b"Rival"), "bad_proof"),
            (pdf.CUSTOMER, (b"{", b"["), "not_json"),
        ],
    )
    def test_says_why_what_is_attached_is_not_valid(self, page, tmp_path, capsys, attachment, change, reason):
        attached = pdf.attached(stored(page))
        (tmp_path / "receipt.pdf").write_bytes(
            attaching(attached | {attachment: attached[attachment].replace(*change)})
        )

        code = self.run(tmp_path / "receipt.pdf", "--log", str(log.log_key()))

        assert (code, capsys.readouterr().out.split(":")[0]) == (1, reason)

    @pytest.mark.parametrize("content", [b"%PDF-1.7 and no more", b"%PDF-1.7"])
    def test_cannot_read_a_page_without_a_receipt(self, tmp_path, content):
        (tmp_path / "other.pdf").write_bytes(content)

        assert self.run(tmp_path / "other.pdf") == 2

    def test_says_that_there_is_no_file(self, tmp_path):
        assert self.run(tmp_path / "none") == 2


@pytest.mark.django_db
class TestOverRest:
    def test_lists_receipts_with_their_public_address(self, admin, client, receipt):
        (listed,) = admin.get("/api/v1/receipts").json()["results"]

        address = listed["verify_url"].removeprefix(settings.PUBLIC_BASE_URL)
        assert client.get(f"{address}.json").content.decode() == receipt.document

    def test_bundles_what_proves_it(self, admin, receipt):
        text = admin.get(f"/api/v1/receipts/{receipt.pk}/bundle").content

        verdict = verify(text, [receipt_key()], log=log.log_key())
        assert (verdict.reason, verdict.customer) == ("valid", "Acme")
        assert document.TYPE in text.decode()

    def test_gives_the_page_to_an_auditor(self, auditor, page):
        answer = auditor.get(f"/api/v1/receipts/{page.pk}/pdf", headers={"accept": "application/pdf"})

        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert answer.content == stored(page)

    def test_has_no_page_before_it_is_handed_out(self, admin, receipt):
        answer = admin.get(f"/api/v1/receipts/{receipt.pk}/pdf")

        assert (answer.status_code, answer.json()["title"]) == (
            404,
            "There is no such thing, or it is not yours",
        )


def attaching(contents: dict[str, bytes]) -> bytes:
    """A PDF that somebody else made, with these attached."""
    writer, made = PdfWriter(), BytesIO()
    writer.add_blank_page(100, 100)
    for name, content in contents.items():
        writer.add_attachment(name, content)
    writer.write(made)
    return made.getvalue()


def receipt_key():
    from receipts.signers import receipt_signer

    return receipt_signer().public
