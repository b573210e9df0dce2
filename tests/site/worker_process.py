"""`python -m carbon_site.worker`, as it is where an app has the sample tasks."""

import django

django.setup()

from tests.site import sample_tasks  # noqa: F401

if __name__ == "__main__":
    from carbon_site.worker import main

    main()
