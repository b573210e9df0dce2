"""Check a receipt offline: `manage.py verify_receipt FILE --keys did.json`. Exit 0 valid, 1 not valid, 2 cannot read."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import httpx
from django.core.management.base import BaseCommand

from carbon_site.http import TIMEOUT, TRUST, USER_AGENT
from receipts.keys import PublicKey
from receipts.published import KeysUnreadable, read_did_document
from receipts.refusals import Refusal
from receipts.signers import receipt_signer
from receipts.verify import Verdict, verify

VALID, NOT_VALID, UNREADABLE = 0, 1, 2
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Command(BaseCommand):
    help = "Check a receipt (JSON, JWS or bundle) without asking its issuer. Prints one stable word."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--keys",
            help="a DID document with the issuer's keys: a file or an https address (default: our own)",
        )
        parser.add_argument("--json", action="store_true", help="the whole verdict, as one JSON line")

    def handle(self, *, file: Path, keys: str | None, **options: Any) -> None:
        try:
            verdict = verify(file.read_bytes().removeprefix(BYTE_ORDER_MARK), known_keys(keys))
        except (OSError, httpx.HTTPError, KeysUnreadable, Refusal) as error:
            self.stderr.write(f"cannot read: {error}")
            sys.exit(UNREADABLE)
        self.stdout.write(line(verdict) if options["json"] else words(verdict))
        sys.exit(NOT_VALID if verdict.refusal else VALID)


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
