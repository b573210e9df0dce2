"""Which key opens what. The first part of a key says how it is treated, the rest names the account.

sk-admin-sandbox-acme        everything of account acme; so does sk-admin-sandbox-acme_2, a second key of it
sk-admin-sandbox-acme-since-2026-09-01  an account whose history begins then, not 60 days before it was first seen
sk-admin-usageonly-acme      api.usage.read, but not api.management.read
sk-admin-unscoped-acme       no scope: 403, a bare string; sk-admin-unscoped401-acme: 401, an object
sk-admin-quota-acme          429 insufficient_quota
sk-admin-…                   any other, for example sk-admin-revoked: 401 invalid_api_key
sk-proj-…, sk-…              not an admin key: 403
"""

import re
from collections.abc import Callable, Mapping

from carbon_site.sandbox.openai import errors
from carbon_site.sandbox.wire import Answer, Refused

ADMIN_KEY = re.compile(r"sk-admin-(sandbox|usageonly|unscoped|unscoped401|quota)-([a-z0-9-]{1,40})(?:_\w+)?")
REFUSED: Mapping[str, Callable[[str], Answer]] = {
    "unscoped": errors.missing_scope,
    "unscoped401": errors.missing_scope_as_object,
    "quota": lambda scope: errors.quota(),
}


def account_of(headers: Mapping[str, str]) -> str | None:
    found = ADMIN_KEY.fullmatch(_key(headers))
    return found and found[2]


def admit(headers: Mapping[str, str], scope: str) -> str:
    """The account that the key opens for `scope`. Raises Refused as OpenAI would."""
    key = _key(headers)
    if not key:
        raise errors.no_key()
    if not key.startswith("sk-admin-"):
        raise Refused(errors.missing_scope(scope) if key.startswith("sk-") else errors.unknown_key(key[-4:]))
    found = ADMIN_KEY.fullmatch(key)
    if not found:
        raise Refused(errors.unknown_key(key[-4:]))
    kind, account = found.groups()
    if kind in REFUSED:
        raise Refused(REFUSED[kind](scope))
    if kind == "usageonly" and scope != errors.USAGE_READ:
        raise Refused(errors.missing_scope(scope))
    return account


def _key(headers: Mapping[str, str]) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
