"""Check a receipt offline: `manage.py verify_receipt FILE --keys did.json`. Exit 0 valid, 1 not valid, 2 cannot read."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import httpx
from django.core.management.base import BaseCommand

from carbon_site.http import TIMEOUT, TRUST, USER_AGENT
from receipts import pdf
from receipts.keys import PublicKey
from receipts.note import LogKey
from receipts.published import read_did_document
from receipts.refusals import Refusal
from receipts.signers import receipt_signer
from receipts.verify import Verdict, verify

VALID, NOT_VALID, UNREADABLE = 0, 1, 2
HEADER = 1024  # bytes, within which a PDF says that it is one
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Command(BaseCommand):
    help = "Check a receipt (JSON, JWS, bundle or PDF) without asking its issuer. Prints one stable word."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--keys",
            help="a DID document with the issuer's keys: a file or an https address (default: our own)",
        )
        parser.add_argument(
            "--log", help="the log's verifier key: then it must be proven that the receipt stands there"
        )
        parser.add_argument("--json", action="store_true", help="the whole verdict, as one JSON line")

    def handle(self, *, file: Path, keys: str | None, log: str | None, **options: Any) -> None:
        try:
            log_key = LogKey.parse(log) if log else None
            verdict = verify(**papers(file.read_bytes()), keys=known_keys(keys), log=log_key)
        except (OSError, httpx.HTTPError, ValueError, Refusal) as error:
            self.stderr.write(f"cannot read: {error}")
            sys.exit(UNREADABLE)
        self.stdout.write(line(verdict) if options["json"] else words(verdict))
        sys.exit(NOT_VALID if verdict.refusal else VALID)


def papers(content: bytes) -> dict[str, Any]:
    """What `verify` is told of a file. Raises pdf.PdfUnreadable."""
    if b"%PDF-" not in content[:HEADER]:
        return {"text": content.removeprefix(BYTE_ORDER_MARK)}
    attached = pdf.attached(content)
    proof = attached.get(pdf.PROOF)
    return {
        "text": attached[pdf.RECEIPT],
        "proof": proof.decode() if proof else None,
        "customer": attached.get(pdf.CUSTOMER),
    }


def known_keys(place: str | None) -> list[PublicKey]:
    """Raises OSError, httpx.HTTPError, KeysUnreadable or a Refusal where the keys cannot be read."""
    if place is None:
        return [receipt_signer().public]
    if place.startswith(("https://", "http://localhost")):
        answer = httpx.get(place, timeout=TIMEOUT, verify=TRUST, headers={"User-Agent": USER_AGENT})
        return read_did_document(answer.raise_for_status().content)
    return read_did_document(Path(place).read_bytes())


def words(verdict: Verdict) -> str:
    if verdict.refusal:
        return f"{verdict.reason}: {verdict.refusal.detail or verdict.refusal.title()}"
    return verdict.reason


def line(verdict: Verdict) -> str:
    answers = {
        name: getattr(verdict, name) for name in ("reason", "unaltered", "issued", "logged", "current")
    }
    return json.dumps(
        answers
        | {"key": verdict.key and verdict.key.id, "detail": verdict.refusal and verdict.refusal.detail}
    )
