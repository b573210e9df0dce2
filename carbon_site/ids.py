"""Identifiers: a UUIDv7 in the database, a prefixed word in TypeID form (`prj_01k9wq3m5ef2tbr5s3yd4w1x8a`) everywhere else."""

import os
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
LENGTH = 26  # 130 bits hold 128; the first letter is 0 to 7


class MalformedId(ValueError):
    """Not an identifier of the expected kind."""


def uuid7() -> UUID:
    """RFC 9562, method 3: 48 bits of milliseconds, then 12 of their fraction, so that ids made in turn are in order."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    noise = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | noise)


def encode(prefix: str, value: UUID) -> str:
    letters = [ALPHABET[value.int >> shift & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(letters)}"


def decode(word: str, prefix: str | None = None) -> UUID:
    """The uuid in a prefixed word. Raises MalformedId if it is none, or of another kind than `prefix`."""
    found, _, letters = word.rpartition("_")
    if (prefix is not None and found != prefix) or len(letters) != LENGTH or letters[0] > "7":
        raise MalformedId(word)
    number = 0
    for letter in letters:
        if letter not in VALUES:
            raise MalformedId(word)
        number = number << 5 | VALUES[letter]
    return UUID(int=number)


def new_id(prefix: str) -> str:
    return encode(prefix, uuid7())


if TYPE_CHECKING:
    UuidColumn = models.Field[Any, Any]
else:
    UuidColumn = models.UUIDField


class PrefixedIdField(UuidColumn):
    """A primary key or plain column that Python sees as a prefixed word and PostgreSQL as a uuid."""

    def __init__(self, prefix: str, **options: Any) -> None:
        self.prefix = prefix
        options.setdefault("primary_key", True)
        options.setdefault("editable", False)
        if options["primary_key"]:
            options.setdefault("default", self.make)
        super().__init__(**options)

    def make(self) -> str:
        return new_id(self.prefix)

    def deconstruct(self) -> Any:
        name, path, _, options = super().deconstruct()
        options.pop("default", None)
        options.setdefault("primary_key", self.primary_key)
        options.setdefault("editable", self.editable)
        return name, path, [self.prefix], options

    def to_python(self, value: Any) -> str | None:
        if value is None or (isinstance(value, str) and value.startswith(f"{self.prefix}_")):
            if value is not None:
                self._uuid(value)
            return value
        if isinstance(value, UUID):
            return encode(self.prefix, value)
        raise ValidationError(f"“{value}” is not an id of the form {self.prefix}_…", code="invalid")

    def from_db_value(self, value: UUID | None, *_: Any) -> str | None:
        return None if value is None else encode(self.prefix, value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> UUID | None:
        if value is None or isinstance(value, UUID):
            return value
        return self._uuid(value)

    def _uuid(self, word: str) -> UUID:
        try:
            return decode(word, self.prefix)
        except MalformedId:
            raise ValidationError(
                f"“{word}” is not an id of the form {self.prefix}_…", code="invalid"
            ) from None
