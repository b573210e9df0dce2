#!/usr/bin/env python
"""Django's command line, as `python manage.py <command>`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "carbon_site.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if os.environ.get("DATABASE_URL"):
            raise
        sys.exit(
            f"No database answers ({str(error).splitlines()[0]}). Start `make run` first, or set DATABASE_URL."
        )


if __name__ == "__main__":
    main()
