from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    default_site = "carbon_site.staff.site.StaffSite"

    def ready(self) -> None:
        """Find the admin of every app. Staff themselves are made by an operator (`createsuperuser`), not edited on a page."""
        super().ready()
        from django.contrib.auth.models import Group, User

        admin.site.unregister([Group, User])
