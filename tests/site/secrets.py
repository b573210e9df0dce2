"""Secrets of every shape that we know, none of them real."""

from urllib.parse import quote

KEYS = [
    "sk-admin-Ab3dEf6hIj9kLm2nOp5q",
    "sk-proj-Ab3dEf6hIj9kLm2n_p5q",
    "sk-svcacct-Ab3dEf6hIj9kLm2nOp5q",
    "sk-Ab3dEf6hIj9kLm2nOp5qAb3dEf6hIj9kLm2nOp5qAb3dEf6h",
    "sk-ant-api03-Ab3dEf6hIj9k-Lm2nOp5q",
    "sk-ant-admin01-Ab3dEf6hIj9kLm2nOp5q",
    "sk-or-v1-0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "cfk_Ab3dEf6hIj9kLm2nOp5qRs8t",
    "sk_live_Ab3dEf6hIj9kLm2nOp5q",
    "rk_test_Ab3dEf6hIj9kLm2nOp5q",
    "whsec_Ab3dEf6hIj9k+Lm2n/Op5qA==",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJlLW9mLWl0",
]
# What is said, and the part of it that nobody may read.
SECRETS = {key: key[-12:] for key in KEYS} | {
    "Bearer Zm9vYmFyOmJhejEyMw": "Zm9vYmFyOmJhejEyMw",
    "Basic dXNlcjpwYXNzd29yZA==": "dXNlcjpwYXNzd29yZA",
    "postgresql://app:hunter2.hunter2@db/carbon": "hunter2.hunter2",
    "redis://:hunter3@hunter3@cache:6379/0": "hunter3",
    "ada.lovelace@example.org": "lovelace",
}
SPEECHES = [" ".join(list(SECRETS)[turn::2]) for turn in (0, 1)]  # all of them; a column holds 500 characters


def spilt(text: str) -> list[str]:
    """The secrets that can be read in a text."""
    return [secret for secret, part in SECRETS.items() if part in text or quote(part, safe="") in text]
