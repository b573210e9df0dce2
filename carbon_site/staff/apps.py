from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    default_site = "carbon_site.staff.site.StaffSite"
