"""What staff did, and what tasks failed at: rows without foreign keys, so that nothing on the chain can stand in their way."""

from django.db import models
from django.db.models.functions import Now

CHOSEN = "organization"  # in the session of a member of staff: whose heavy tables are shown


class StaffAction(models.Model):
    """One act of a member of staff on one row, with its reason. Append-only: the database refuses update and delete."""

    actor = models.CharField(max_length=150, editable=False)
    address = models.GenericIPAddressField(null=True, editable=False)
    action = models.CharField(max_length=80, editable=False)
    target = models.CharField(max_length=120, editable=False, help_text="model and id of the row acted on")
    reason = models.CharField(max_length=500, editable=False)
    outcome = models.CharField(max_length=500, editable=False, help_text="done, or the problem that was met")
    acted_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="staff_action_has_a_reason", condition=~models.Q(reason="")),
        ]
        indexes = [models.Index(fields=["target", "acted_at"], name="staff_action_by_target")]


class TaskFailure(models.Model):
    """A task that failed for good: what it was asked to do, and the error, without secrets."""

    name = models.CharField(max_length=120, editable=False)
    task_id = models.CharField(max_length=120, editable=False)
    arguments = models.JSONField(editable=False)
    error = models.TextField(editable=False)
    traceback = models.TextField(editable=False)
    attempt = models.PositiveSmallIntegerField(editable=False)
    request_id = models.CharField(max_length=80, null=True, editable=False)
    failed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["name", "failed_at"], name="task_failure_by_name")]
