"""Plain functions that make rows, through the services that make them in life."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.transaction import atomic
from rest_framework.test import APIClient

from billing.close import make_periods
from billing.models import BillingPeriod
from carbon_site.ids import new_id
from carbon_site.secret_store import secret_store
from connections.models import ProviderConnection
from connections.providers import Page, UsageRow, identity
from emissions import methodology
from projects import api_keys, organizations, services, tenancy
from projects.entitlements import FREE, Grant
from projects.models import Job, Organization, Project, Workload
from telemetry import ingest

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TERMS = methodology.TERMS["event"]
READ_FROM = datetime(2026, 9, 1, tzinfo=UTC)


def organization(slug: str = "acme", **limits: int | None) -> Organization:
    """An organisation that may have as much as it likes, but for the limits named here."""
    made = organizations.create_organization(slug=slug, name=slug.title())
    grants = [Grant(name, limits.get(name), next_plan="scale") for name in FREE]
    with tenancy.organization(made.pk):
        services.set_entitlements(made.pk, plan="growth", grants=grants)
    return made


def free_organization(slug: str = "free") -> Organization:
    return organizations.create_organization(slug=slug, name=slug.title())


def api_key(organization: Organization, **columns: Any) -> api_keys.NewKey:
    usual: dict[str, Any] = {"name": "a program", "made_by": "a person", "role": "admin", "scope": "write"}
    with tenancy.organization(organization.pk):
        return api_keys.create_api_key(
            organization_id=organization.pk, key_id=new_id("key"), now=NOW, **usual | columns
        )


def client(organization: Organization, **columns: Any) -> APIClient:
    """A program with a key of the organisation's."""
    return with_token(str(api_key(organization, **columns).secret))


def with_token(token: str) -> APIClient:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return api


def project(organization: Organization, name: str = "Search") -> Project:
    with tenancy.organization(organization.pk):
        return services.create_project(
            organization_id=organization.pk, project_id=new_id("prj"), name=name, now=NOW
        )


def default_project(organization: Organization) -> Project:
    with tenancy.organization(organization.pk):
        return Project.objects.for_organization(organization.pk).get(is_default=True)


def workload(project: Project, name: str = "Batch", **columns: Any) -> Workload:
    columns = {"rules": [{"provider": "openai"}]} | columns
    with tenancy.organization(project.organization_id):
        return services.create_workload(
            organization_id=project.organization_id,
            workload_id=new_id("wkl"),
            project_id=project.pk,
            name=name,
            **columns,
        )


def job(organization: Organization, **columns: Any) -> Job:
    with tenancy.organization(organization.pk):
        return Job.unscoped.create(organization=organization, **{"kind": "sync"} | columns)


def connection(project: Project, **columns: Any) -> ProviderConnection:
    """A connection whose key was proved, without asking anybody."""
    secret = columns.pop("api_key", "sk-admin-sandbox-acme")
    usual: dict[str, Any] = {
        "provider": "openai",
        "name": "OpenAI",
        "account": "org-acme",
        "status": "active",
        "last_success_at": READ_FROM,
    }
    with tenancy.organization(project.organization_id):
        return ProviderConnection.unscoped.create(
            organization_id=project.organization_id,
            project=project,
            secret=secret_store().seal(secret),
            key_hint=secret[-4:],
            **{"read_from": READ_FROM} | usual | columns,
        )


def usage_row(account: str = "org-acme", **columns: Any) -> UsageRow:
    """What a provider says of one bucket; its identity is made of all that is said but the counts."""
    usual: dict[str, Any] = {
        "family": "completions",
        "width": 3600,
        "starts_at": NOW - timedelta(days=1),
        "model": "gpt-4o",
    }
    row = usual | columns
    name = [
        row.get(part) for part in ("family", "model", "service_tier", "provider_project", "api_key", "region")
    ]
    start = int(row["starts_at"].timestamp())
    return UsageRow(**{"identity": identity(account, row["family"], row["width"], start, name)} | row)


def record(source: ProviderConnection, *rows: UsageRow, family: str = "completions") -> int:
    """Rows in the ledger of the connection's organisation, with all that follows; the number that changed."""
    raw = repr(rows).encode()
    with tenancy.organization(source.organization_id), atomic():
        return ingest.record(source, family, Page(raw, list(rows), None))


def period(organization: Organization) -> BillingPeriod:
    """The period of this month, open."""
    with tenancy.organization(organization.pk):
        make_periods(organization_id=organization.pk, now=NOW)
        return BillingPeriod.unscoped.latest("month")
