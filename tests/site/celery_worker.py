"""A Celery worker for the task modules as they are: there `carbon_site.tasks`, whose words they use, is Celery itself."""

import os
import sys
from typing import Any

import celery
import django

if __name__ == "__main__":
    sys.modules["carbon_site.tasks"] = celery
django.setup()

from projects import tenancy


class Task(celery.Task):  # type: ignore[misc]  # untyped
    """A step sees the rows of the organisation in its first argument."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            tenancy.enter_organization(args[0])
        return super().__call__(*args, **kwargs)


def application(folder: str) -> celery.Celery:
    """Celery with a folder of messages for its broker: its Redis transport and ARQ want different versions of the client."""
    app = celery.Celery("carbon", broker="filesystem://", task_cls=Task, set_as_current=False)
    folders = dict.fromkeys(["data_folder_in", "data_folder_out", "control_folder"], folder)
    app.conf.broker_transport_options = folders | {"polling_interval": 0.05}
    app.conf.worker_hijack_root_logger = False
    return app


if __name__ == "__main__":
    app = application(os.environ["CELERY_FOLDER"])
    app.set_current()

    from tests.site import sample_tasks  # noqa: F401

    app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat"])
