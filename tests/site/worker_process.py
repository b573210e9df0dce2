"""`python -m carbon_site.worker`, as it is where an app has the sample tasks, but for the schedule."""

import django

django.setup()

from tests.site import sample_tasks  # noqa: F401

if __name__ == "__main__":
    from carbon_site import worker

    worker.SCHEDULE.clear()  # what falls due in the minute of a test is none of its jobs
    worker.main()
