from django.apps import AppConfig


class CarbonSiteConfig(AppConfig):
    name = "carbon_site"
    verbose_name = "Operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the start-up checks and find the tasks of every app."""
        from django.utils.module_loading import autodiscover_modules

        from carbon_site import checks  # noqa: F401

        autodiscover_modules("tasks")
