"""Bytes as base58btc, and Ed25519 public keys as W3C Multikeys."""

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LONGEST = 100  # characters; a signature has 88 at most, and the work grows with the square
ED25519 = b"\xed\x01"  # the multicodec of a public key


def to_base58(raw: bytes) -> str:
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def from_base58(text: str) -> bytes:
    """Raises ValueError where it is not base58btc, or too long for anything of ours."""
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    number = 0
    for letter in text:
        number = 58 * number + ALPHABET.index(letter)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def to_multibase(raw: bytes) -> str:
    return "z" + to_base58(raw)


def from_multibase(text: str) -> bytes:
    """Raises ValueError where it is not base58btc after a z."""
    if not text.startswith("z"):
        raise ValueError("does not begin with z")
    return from_base58(text[1:])


def to_multikey(public: bytes) -> str:
    return to_multibase(ED25519 + public)


def from_multikey(text: str) -> bytes:
    """The 32 bytes of an Ed25519 public key. Raises ValueError for any other."""
    raw = from_multibase(text)
    if not raw.startswith(ED25519) or len(raw) != len(ED25519) + 32:
        raise ValueError("is not an Ed25519 key")
    return raw[len(ED25519) :]
