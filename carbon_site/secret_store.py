"""Where the provider keys of our customers are kept: sealed on the way in, opened only where a provider is called."""

import base64
import contextlib
import os
from functools import cache
from typing import Protocol

import nacl.exceptions
import nacl.secret
import nacl.utils
from django.conf import settings

KEY_FILE = "secret-store.key"


class CannotOpen(Exception):
    """The token was not sealed with the key that we have."""


class SecretStore(Protocol):
    """A place that keeps a text and gives it back for a token. The token may stand in our database."""

    def seal(self, text: str) -> str: ...

    def open(self, token: str) -> str: ...


class LocalSecretStore:
    """Sealed with XSalsa20-Poly1305 under `SECRET_STORE_KEY`; the token is the sealed text itself."""

    def __init__(self, key: bytes) -> None:
        self._box = nacl.secret.SecretBox(key)

    def seal(self, text: str) -> str:
        return base64.urlsafe_b64encode(self._box.encrypt(text.encode())).decode()

    def open(self, token: str) -> str:
        """Raises CannotOpen."""
        try:
            return self._box.decrypt(base64.urlsafe_b64decode(token)).decode()
        except (nacl.exceptions.CryptoError, ValueError) as error:
            raise CannotOpen("the secret was sealed with another key, or is damaged") from error


@cache
def secret_store() -> SecretStore:
    """The store that the settings name."""
    return LocalSecretStore(
        decode_key(settings.SECRET_STORE_KEY) if settings.SECRET_STORE_KEY else _own_key()
    )


def decode_key(text: str) -> bytes:
    """32 bytes in base64. Raises ValueError."""
    key = base64.b64decode(text, validate=True)
    if len(key) != nacl.secret.SecretBox.KEY_SIZE:
        raise ValueError("it is not 32 bytes in base64")
    return key


def _own_key() -> bytes:
    """A developer's key, made once in the state folder. Elsewhere a check refuses to start without `SECRET_STORE_KEY`."""
    path = settings.STATE_DIR / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        written = path.with_suffix(f".{os.getpid()}")
        written.touch(0o600)
        written.write_bytes(nacl.utils.random(nacl.secret.SecretBox.KEY_SIZE))
        with contextlib.suppress(FileExistsError):
            os.link(written, path)  # whole or not at all, and the first of two processes wins
        written.unlink()
    return bytes(path.read_bytes())
