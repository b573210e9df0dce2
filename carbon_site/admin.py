"""The base of all staff pages: rows are read; a change is an action, with a reason, through the same service as everywhere else."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import BinaryField, Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm

from carbon_site.logs import redact
from carbon_site.models import CHOSEN, StaffAction, TaskFailure
from carbon_site.problems import Problem
from carbon_site.throttles import address


class ReasonForm(ActionForm):
    """An action is asked for with its reason."""

    reason = forms.CharField(
        max_length=500,
        required=False,  # reading needs none; `act` insists on it
        label="",
        widget=forms.TextInput(
            attrs={
                "placeholder": "Reason (required)",
                "aria-label": "Reason",
                "class": "bg-white/20 px-3 py-1 rounded-default",
            }
        ),
    )


class ReadOnlyAdmin(ModelAdmin):
    """A list and a page for each row, and no way to edit, add or delete one."""

    action_form = ReasonForm
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """All but bytes and what is excluded: what cannot be edited is shown in no other way."""
        shown = [field for field in self.opts.fields if not isinstance(field, BinaryField)]
        return [field.name for field in shown if field.name not in (self.exclude or ())]

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Who may act: staff with Django's change permission, though nothing is edited. Actions name it in `permissions`."""
        return super().has_change_permission(request)

    def act(self, request: HttpRequest, rows: Iterable[Model], do: Callable[[Any], object]) -> None:
        """Do one thing to each row: noted before and after, each row by itself; a problem is shown and does not stop the next."""
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, "Nothing was done: an action needs its reason.", messages.ERROR)
            return
        for row in list(rows):
            self._note(request, row, reason, "asked")
            try:
                do(row)
            except Problem as problem:
                self._note(request, row, reason, f"refused: {problem.detail}")
                said = redact(problem.detail) or problem.title()
                self.message_user(request, f"{row.pk}: {said}", messages.ERROR)
            else:
                self._note(request, row, reason, "done")
                self.message_user(request, f"{row.pk}: done.", messages.SUCCESS)

    def _note(self, request: HttpRequest, row: Model, reason: str, outcome: str) -> None:
        StaffAction.objects.create(
            actor=request.user.get_username(),
            address=address(request),
            action=request.POST.get("action", ""),
            target=f"{row._meta.label} {row.pk}",
            reason=redact(reason)[:500],  # what is pasted here stays for ever
            outcome=redact(outcome)[:500],
        )


class HeavyAdmin(ReadOnlyAdmin):
    """A table whose rows the database shows of one organisation at a time: that which this member of staff has chosen."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if not request.session.get(CHOSEN):
            self.message_user(request, "Choose an organisation on the home page first.", messages.WARNING)
        return super().changelist_view(request, extra_context)


@admin.register(StaffAction)
class StaffActionAdmin(ReadOnlyAdmin):
    list_display = ["acted_at", "actor", "action", "target", "reason", "outcome"]
    list_filter = ["action", "actor"]
    search_fields = ["target", "reason"]
    ordering = ["-id"]


@admin.register(TaskFailure)
class TaskFailureAdmin(ReadOnlyAdmin):
    list_display = ["failed_at", "name", "task_id", "attempt", "error", "request_id"]
    list_filter = ["name"]
    search_fields = ["task_id", "request_id"]
    ordering = ["-id"]
