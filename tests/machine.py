"""What tests use of the machine beside Python."""

import shutil
import socket
from contextlib import suppress
from random import SystemRandom

import pytest

ALSO_CALLED = {"chromium": ["chromium-browser", "google-chrome"]}
PORTS = range(20_000, 32_000)  # below those that a system gives to whoever asks for any port


def path(program: str) -> str | None:
    """Where it is, whatever it is called here; None where it is missing."""
    names = [program, *ALSO_CALLED.get(program, [])]
    return next(filter(None, map(shutil.which, names)), None)


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skips, and says so at the end of the run, where a program is missing; with NOTHING_SKIPPED set that is a failure."""
    missing = [program for program in programs if path(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"NOT CHECKED: {', '.join(missing)} missing")


def free_port() -> int:
    """It is still free when a server that starts slowly has come so far, and when it comes again after its death."""
    while True:
        port = SystemRandom().choice(PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
