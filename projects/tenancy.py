"""Two walls between organisations.

The first is in Python: a model of an organisation's refuses every query until it is told whose. The second is in the
database: row-level security shows the rows of the organisation that this connection was told of, and no others.
A connection is told where the credential is checked and where a task begins; the pool makes it forget.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from django.db import connection, models
from psycopg.pq import TransactionStatus

from carbon_site.ids import decode

# What was told before is read first, whatever the planner thinks best.
TELL = """
WITH before AS MATERIALIZED (SELECT coalesce(current_setting(%(setting)s, true), '') AS value)
SELECT value, set_config(%(setting)s, %(value)s, false) FROM before
"""


class Unscoped(RuntimeError):
    """A query of an organisation's rows that does not say of which organisation."""


class OrganizationQuerySet(models.QuerySet):
    def for_organization(self, organization_id: str) -> Self:
        return self.filter(organization_id=organization_id)


class ScopedManager(models.Manager):
    def get_queryset(self):
        raise Unscoped(f"{self.model.__name__}.objects: call .for_organization(...) or use .unscoped")

    def for_organization(self, organization_id: str):
        return self.model.unscoped.for_organization(organization_id)  # type: ignore[attr-defined]


class OrganizationOwned(models.Model):
    """Base of every model whose rows are an organisation's.

    `unscoped` is the default manager, so that Django's own machinery is unaffected; it stands in code only with a reason.
    """

    organization = models.ForeignKey(
        "projects.Organization", models.PROTECT, related_name="+", editable=False
    )

    unscoped: ClassVar[Any] = OrganizationQuerySet.as_manager()  # Any: a model may have its own queryset
    objects = ScopedManager()

    class Meta:
        abstract = True
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"


def enter_organization(organization_id: str) -> None:
    """Show this connection the rows of one organisation, until it goes back to the pool."""
    _tell("carbon.organization", str(decode(organization_id, "org")))


@contextmanager
def organization(organization_id: str) -> Iterator[None]:
    """Within the block this connection sees the rows of one organisation."""
    before = _tell("carbon.organization", str(decode(organization_id, "org")))
    try:
        yield
    finally:
        _tell_again("carbon.organization", before)


@contextmanager
def every_organization(why: str) -> Iterator[None]:
    """Within the block this connection sees the light rows of all organisations. A test counts who uses it, and `why` tells."""
    if not why:
        raise ValueError("say why")
    before = _tell("carbon.every_organization", "on")
    try:
        yield
    finally:
        _tell_again("carbon.every_organization", before)


def _tell(setting: str, value: str) -> str:
    """Answers with what the connection was told before, in the same trip."""
    with connection.cursor() as cursor:
        cursor.execute(TELL, {"setting": setting, "value": value})
        return str(cursor.fetchone()[0])


def _tell_again(setting: str, before: str) -> None:
    """Not in a failed transaction: the roll-back that must follow takes the setting back too, as it was made in the same one."""
    raw: Any = connection.connection
    if raw is None or raw.info.transaction_status != TransactionStatus.INERROR:
        _tell(setting, before)
