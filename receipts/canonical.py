"""The one form of a document that is hashed and signed: RFC 8785, of JSON so narrow that no two readers can differ.

Names are ASCII; texts are NFC without control characters; quantities with a unit are whole numbers written as texts;
other numbers are whole and exact in a double; there is no null.
"""

import hashlib
import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any, NoReturn

import rfc8785

from receipts.refusals import DuplicateKey, NotJson, Profile

LARGEST = 64 * 1024  # bytes, of the canonical form
LONGEST = 4 * LARGEST  # bytes, of a text that is indented or carries a log proof
DEEPEST = 8
MOST = 2**53 - 1

NAME = re.compile(r"[A-Za-z@][A-Za-z0-9]*")
UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
QUANTITY = re.compile(r"0|[1-9][0-9]{0,18}")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

UNITS = ("Mg", "Ug", "Uwh")  # a member whose name ends so is a quantity
INSTANTS = ("created", "end", "start", "validFrom")


def read(text: bytes) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark. Raises NotJson, DuplicateKey or Profile."""
    if len(text) > LONGEST:
        raise Profile(f"The document is longer than {LONGEST} bytes.")
    try:
        return json.loads(
            text.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_constant=_not_a_number,
        )
    except RecursionError as error:
        raise Profile(f"The document is more than {DEEPEST} levels deep.") from error
    except ValueError as error:
        raise NotJson(f"{error}.") from error


def encode(value: Any) -> bytes:
    """RFC 8785, of any value that it can write; `check` says whether ours may be written so."""
    return rfc8785.dumps(value)


def sha256(value: Any) -> str:
    """The hash by which a document is known, in hexadecimal digits."""
    return hashlib.sha256(encode(value)).hexdigest()


def instant(moment: datetime) -> str:
    """A moment in whole seconds of UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def check(document: Any) -> bytes:
    """The form of a document that is within the profile. Raises Profile, which names the place and the reason."""
    if not isinstance(document, dict):
        _refuse("", "is not an object")
    _check_object(document, "", 1)
    encoded = encode(document)
    if len(encoded) > LARGEST:
        _refuse("", f"is larger than {LARGEST} bytes")
    return encoded


def _check(value: Any, place: str, name: str, depth: int) -> None:
    if isinstance(value, dict):
        _check_object(value, place, depth + 1)
    elif isinstance(value, list):
        _check_depth(place, depth + 1)
        for index, entry in enumerate(value):
            _check(entry, f"{place}[{index}]", name, depth + 1)
    elif name.endswith(UNITS) or isinstance(value, str):
        _check_text(value, place, name)
    elif isinstance(value, bool):
        pass
    elif not isinstance(value, int) or not 0 <= value <= MOST:
        _refuse(place, "is neither a text, nor true or false, nor a whole number from 0 to 2^53 - 1")


def _check_object(value: dict[str, Any], place: str, depth: int) -> None:
    _check_depth(place, depth)
    for name, member in value.items():
        if not NAME.fullmatch(name):
            _refuse(place, f"has a member {name[:40]!a}, and names are made of letters and digits")
        _check(member, f"{place}.{name}" if place else name, name, depth)


def _check_depth(place: str, depth: int) -> None:
    if depth > DEEPEST:
        _refuse(place, f"is more than {DEEPEST} levels deep")


def _check_text(value: Any, place: str, name: str) -> None:
    if name.endswith(UNITS):
        if not isinstance(value, str) or not QUANTITY.fullmatch(value):
            _refuse(place, "is not a whole number written as a text")
    elif name in INSTANTS:
        if not _is_instant(value):
            _refuse(place, "is not a moment of UTC such as 2026-11-01T00:00:00Z")
    elif UNWRITABLE.search(value):
        _refuse(place, "has a control character or half a character in it")
    elif not unicodedata.is_normalized("NFC", value):
        _refuse(place, "is not in Unicode's form NFC")


def _is_instant(text: str) -> bool:
    try:
        return bool(INSTANT.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:
        return False


def _refuse(place: str, reason: str) -> NoReturn:
    raise Profile(f"{place or 'The document'} {reason}.")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise DuplicateKey(f"An object has two members {name[:40]!a}.")
        found[name] = value
    return found


def _whole(digits: str) -> int | float:
    # What is too long or negative becomes a float, which the profile refuses and whose place it can name.
    return int(digits) if digits[0] != "-" and len(digits) <= 16 else float(digits)


def _not_a_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
