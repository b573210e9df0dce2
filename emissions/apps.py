from django.apps import AppConfig


class EmissionsConfig(AppConfig):
    name = "emissions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from emissions import receivers  # noqa: F401
