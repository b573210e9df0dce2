"""Provider accounts that usage is read from."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from carbon_site.ids import PrefixedIdField
from projects.models import Project
from projects.tenancy import OrganizationOwned, OrganizationQuerySet

FIRST_READING = timedelta(days=1)
TRIED_AGAIN = ["pending", "active", "degraded", "billing_issue"]  # the other states wait for a person


class ProviderConnectionQuerySet(OrganizationQuerySet):
    def active(self) -> Self:
        return self.filter(archived_at=None)

    def due(self, now: datetime) -> Self:
        """Worth reading now: not paused, not refused, not told to wait."""
        waits = Q(throttled_until__gt=now)
        return self.active().filter(~waits, is_paused=False, status__in=TRIED_AGAIN)

    def being_read_first(self, now: datetime) -> Self:
        """Not read to the end yet, and nothing known to be in the way; after a day nobody waits for it any more."""
        fresh = self.due(now).filter(last_success_at=None, consecutive_failures=0)
        return fresh.filter(created_at__gt=now - FIRST_READING)


class ProviderConnection(OrganizationOwned):
    """One provider account of an organisation: its sealed key, and how reading it went.

    The columns of how it went are written by telemetry, through `services.report_reading`.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        ACTIVE = "active"
        INVALID_CREDENTIALS = "invalid_credentials"
        INSUFFICIENT_SCOPE = "insufficient_scope"
        WRONG_KEY_TYPE = "wrong_key_type"
        BILLING_ISSUE = "billing_issue"
        DEGRADED = "degraded"

    id = PrefixedIdField("con")
    project = models.ForeignKey(Project, models.PROTECT, related_name="connections")
    provider = models.CharField(max_length=20, editable=False)
    name = models.CharField(max_length=120)
    account = models.CharField(
        max_length=120,
        null=True,
        editable=False,
        help_text="the provider's id of the account; null until it is proved",
    )
    names = models.JSONField(
        default=list, editable=False, help_text="every name of the account that the provider told"
    )
    secret = models.TextField(editable=False, help_text="the sealed key, or where it is kept")
    key_hint = models.CharField(max_length=4, editable=False, help_text="the key's last four characters")
    is_paused = models.BooleanField(default=False)
    read_from = models.DateTimeField(editable=False, help_text="where the first reading begins")
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING, editable=False)
    status_detail = models.CharField(max_length=500, blank=True, editable=False)
    throttled_until = models.DateTimeField(null=True, editable=False)
    consecutive_failures = models.PositiveIntegerField(default=0, editable=False)
    last_polled_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)

    unscoped: ClassVar[Any] = ProviderConnectionQuerySet.as_manager()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                name="an_account_is_connected_once",
                fields=["organization", "provider", "account"],
                condition=Q(archived_at=None),
            ),
            models.CheckConstraint(
                name="an_active_connection_has_an_account",
                condition=~Q(status="active") | Q(account__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.provider} …{self.key_hint})"
