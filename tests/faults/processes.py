"""Real processes: `manage.py up` as a person starts it, and what is left of it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import SIGKILL

import psutil

from carbon_site.embedded.children import end_with
from tests.engine import ADDRESSES

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "up": "manage.py up",
    "worker": "-m carbon_site.worker",
    "web": "-m uvicorn",
    "PostgreSQL": "/bin/postgres",
    "Redis": "/redis-server",
}


def until(happens: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 120
    while not happens():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Up:
    """`up` on a state folder and a port."""

    process: subprocess.Popen[bytes]

    def __init__(self, state: Path, port: int, *options: str) -> None:
        self.state, self.port, self.options = state, port, options
        self.output = state.with_suffix(".out")

    def begin(self, **configured: str) -> "Up":
        environment = {name: value for name, value in os.environ.items() if name not in ADDRESSES}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port), *self.options],
                cwd=ROOT,
                env=environment | configured | {"CARBON_STATE_DIR": str(self.state)},
                start_new_session=True,
                preexec_fn=partial(end_with, os.getpid(), SIGKILL),  # also where pytest is killed
                stdout=output,
                stderr=output,
            )
        return self

    def start(self, **configured: str) -> None:
        self.begin(**configured)
        until(lambda: self.process.poll() is not None or "Ctrl-C stops everything" in self.said)
        assert self.process.poll() is None, self.said

    def end(self) -> tuple[int, str]:
        """Wait for it: its exit status, and what it said."""
        return self.process.wait(60), self.said

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def family(self) -> list[psutil.Process]:
        itself = psutil.Process(self.process.pid)
        return [itself, *itself.children(recursive=True)]

    def kill(self, name: str) -> None:
        next(it for it in self.family if COMMANDS[name] in " ".join(it.cmdline())).kill()
