from django.contrib import admin

from audit.models import AuditPack
from carbon_site.admin import ReadOnlyAdmin


@admin.register(AuditPack)
class AuditPackAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "period", "ordered_at", "built_at", "size", "sha256"]
    list_select_related = ["organization", "period"]
