from django.contrib import admin

from carbon_site.admin import ReadOnlyAdmin
from connections.models import ProviderConnection


@admin.register(ProviderConnection)
class ProviderConnectionAdmin(ReadOnlyAdmin):
    """Keys by their last four characters; the sealed key is not shown."""

    list_display = [
        "id", "name", "provider", "organization", "status", "key_hint", "consecutive_failures", "last_success_at",
    ]  # fmt: skip
    list_filter = ["provider", "status"]
    list_select_related = ["organization"]
    search_fields = ["name", "account", "organization__slug"]
    exclude = ["secret"]
