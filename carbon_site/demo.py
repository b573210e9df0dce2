"""The demonstration: an organisation with a key, a connection to the sandbox's account, and a member of staff. Safe to repeat.

What it shows once and cannot show again, the key and the password, it keeps in the state folder, for its owner alone.
"""

import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model

from carbon_site.ids import new_id
from connections.models import ProviderConnection
from connections.services import connect
from projects import api_keys, organizations, services, tenancy
from projects.entitlements import DEMONSTRATION, FREE, Grant
from projects.models import ApiKey, Organization
from telemetry.poll import poll

SLUG, STAFF = "demo", "staff"
PROVIDER_KEY = "sk-admin-sandbox-demo"


def kept() -> dict[str, str]:
    """What the demonstration made, if it ran."""
    try:
        found = json.loads(_path().read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()}


def make(now: datetime) -> Iterator[str]:
    """Make what is missing, and tell of each step as it begins."""
    yield "An organisation that may do everything"
    organization = organizations.create_organization(slug=SLUG, name="Demonstration")
    with tenancy.organization(organization.pk):
        grants = [Grant(name, None) for name in FREE]
        services.set_entitlements(organization.pk, plan=DEMONSTRATION, grants=grants)
        _keep(api_key=_key(organization, now), staff_password=_staff_password())
        if settings.ELSEWHERE["openai"] != settings.OPENAI_BASE_URL:
            yield "Its usage, from the sandbox’s recorded traffic"
            _read(organization, now)


def _key(organization: Organization, now: datetime) -> str:
    known = kept().get("api_key")
    keys = ApiKey.objects.for_organization(organization.pk).usable(now)
    if known and keys.filter(digest=ApiKey.digest_of(known)).exists():
        return known
    made = api_keys.create_api_key(
        organization_id=organization.pk,
        key_id=new_id("key"),
        name="of the demonstration",
        made_by="demo",
        role="admin",
        scope="write",
        now=now,
    )
    return str(made.secret)


def _staff_password() -> str:
    """The password of the local member of staff; a lost one is replaced."""
    users = get_user_model().objects
    password = kept().get("staff_password") or secrets.token_urlsafe(12)
    staff, _ = users.get_or_create(username=STAFF, defaults={"is_staff": True, "is_superuser": True})
    if not staff.check_password(password):
        staff.set_password(password)
        staff.save()
    return password


def _read(organization: Organization, now: datetime) -> None:
    connections = ProviderConnection.objects.for_organization(organization.pk).active()
    source = connections.first() or connect(
        organization_id=organization.pk,
        connection_id=new_id("con"),
        provider="openai",
        name="OpenAI (sandbox)",
        api_key=PROVIDER_KEY,
        now=now,
    )
    poll(organization_id=organization.pk, connection_id=source.pk, now=now)


def _keep(**made: str) -> None:
    written = _path().with_suffix(".new")
    written.unlink(missing_ok=True)
    written.touch(0o600)
    written.write_text(json.dumps(made))
    written.replace(_path())


def _path() -> Path:
    return Path(settings.STATE_DIR) / "demo.json"
