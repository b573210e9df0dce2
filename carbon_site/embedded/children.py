"""Processes that do not outlive us: on Linux they end even when we are killed with -9; elsewhere the next start ends them."""

import ctypes
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import psutil

LIBC = ctypes.CDLL(None)
SET_PARENT_DEATH_SIGNAL = 1  # an option of prctl(2)
STARTS_WITHIN = 60  # seconds; a database after a crash replays its log first


class Unable(Exception):
    """Why we cannot start or go on: one line for whoever started us."""


@dataclass(frozen=True)
class Child:
    """A process of ours, and how to end it: `farewell` is the signal of an orderly end, `patience` its seconds."""

    name: str
    process: subprocess.Popen[bytes]
    farewell: Signals
    patience: float
    log: Path | None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Raises Unable if it ends first, or is not ready in time."""
        give_up = time.monotonic() + STARTS_WITHIN
        while not ready():
            self.insist_alive()
            if time.monotonic() > give_up:
                raise Unable(f"{self.name} was not ready within {STARTS_WITHIN} s{self._last_words()}")
            time.sleep(0.02)

    def insist_alive(self) -> None:
        """Raises Unable if it has ended."""
        if (status := self.process.poll()) is not None:
            raise Unable(f"{self.name} ended by itself ({ending(status)}){self._last_words()}")

    def finish(self) -> None:
        """Wait for its end. Raises Unable if it failed."""
        if status := self.process.wait():
            raise Unable(f"{self.name} failed ({ending(status)}){self._last_words()}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(self.farewell)
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log else []
        return "".join([".", *(f"\n  {line}" for line in lines[-5:])])


def ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else Signals(-status).name


def end_with(parent: int, signum: Signals) -> None:
    """For a child, after the change of its user, which would clear this: have the kernel send the signal when its parent dies."""
    if sys.platform == "linux":
        LIBC.prctl(SET_PARENT_DEATH_SIGNAL, signum)
        if os.getppid() != parent:  # it died before we could say so
            os._exit(1)


@contextmanager
def child(
    name: str,
    command: Sequence[str | Path],
    *,
    farewell: Signals = SIGTERM,
    when_orphaned: Signals = SIGKILL,
    patience: float = 15,
    user: str | None = None,
    cwd: Path = Path("/"),  # where every user may be
    log: Path | None = None,
) -> Iterator[Child]:
    """Start a process, and stop it in the end. Only from the main thread: Linux ends it with the thread that made it."""
    with log.open("ab") if log else nullcontext() as output:
        process = subprocess.Popen(  # noqa: S603 - the commands are ours
            command,
            preexec_fn=partial(end_with, os.getpid(), when_orphaned),
            start_new_session=True,  # Ctrl-C is for us; we stop it in our own order
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    started = Child(name, process, farewell, patience, log)
    try:
        yield started
    finally:
        started.stop()


def end_orphans(program: str, folder: Path, *, farewell: Signals) -> None:
    """End what a parent that was killed left running in this folder; a server works in its data folder. Raises Unable."""
    for signum, patience in ((farewell, 10), (SIGKILL, 5)):
        give_up = time.monotonic() + patience
        for process in (orphans := _working_in(program, folder)):
            with suppress(psutil.NoSuchProcess):  # it may have followed another of them
                process.send_signal(signum)
        while orphans and time.monotonic() < give_up:
            time.sleep(0.05)
            orphans = _working_in(program, folder)
    if orphans:
        raise Unable(f"A {program} that uses {folder} cannot be ended.")


def _working_in(program: str, folder: Path) -> list[psutil.Process]:
    """Whom to believe instead of a process id in a file: ids are used again. A zombie works nowhere."""
    processes = psutil.process_iter(["name", "cwd"])
    return [it for it in processes if (it.info["name"], it.info["cwd"]) == (program, str(folder))]
