"""The private keys of this installation: named in the settings, or made once in the state folder of a developer's machine."""

import base64
import contextlib
import os
import secrets
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from django.conf import settings

from receipts.keys import LocalKey, Signer, issuer


def receipt_signer() -> Signer:
    """Signs receipts and status lists."""
    return _signer(settings.RECEIPT_SIGNING_KEY, "receipt-signing.key", settings.PUBLIC_BASE_URL)


def log_signer() -> Signer:
    """Signs checkpoints of the log, and nothing else."""
    return _signer(settings.LOG_SIGNING_KEY, "log-signing.key", settings.PUBLIC_BASE_URL)


@cache
def _signer(setting: str, file: str, base_url: str) -> Signer:
    return LocalKey.parse(setting or _own(Path(settings.STATE_DIR) / file), issuer(base_url))


def _own(path: Path) -> str:
    """A developer's key, whole or not at all. Elsewhere a check refuses to start without one in the settings."""
    if not path.exists():
        kid = f"{datetime.now(UTC):%Y-%m}-{path.stem.removesuffix('-signing')}"
        written = path.with_suffix(f".{os.getpid()}")
        written.touch(0o600)
        written.write_text(f"{kid}:{base64.b64encode(secrets.token_bytes(32)).decode()}")
        with contextlib.suppress(FileExistsError):
            os.link(written, path)  # the first of two processes wins
        written.unlink()
    return path.read_text().strip()
