"""Commands that are killed at a statement to the database, and soon live again."""

import json
import subprocess
import sys
from typing import Self

from tests.site.workers import environment


class Mortals:
    """A process that has started already, and whose forks cost next to nothing."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.faults.mortal_process"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(LOG_LEVEL="CRITICAL"),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def live(self, *words: str, dies_at: int) -> int:
        """`manage.py WORDS`, killed at this step if it comes to it: its exit status, or below zero the signal of its death."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([dies_at, *words]), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())
