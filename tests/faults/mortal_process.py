"""Lives one life for each line: `manage.py WORD …` in a fork that dies by its own hand at a statement to the database.

A line is a JSON list, [STEP, WORD, …]. Each statement is two steps, one before and one after it, so that a death after the
last one of a transaction is a death before its commit. Answers with the exit status; below zero it is the signal of death.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import count
from signal import SIGKILL
from typing import Any, NoReturn

import django

django.setup()

from django.core.management import call_command
from django.db import connection

for late in ("anyio", "carbon_site.management.commands.job", "httpcore", "psycopg_pool"):
    import_module(late)  # once, and not in each fork


def main() -> None:
    for line in sys.stdin:
        step, *words = json.loads(line)
        life = os.fork()
        if life == 0:
            live(step, words)
        _, status = os.waitpid(life, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def live(step: int, words: list[str]) -> NoReturn:
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the command prints is no answer of ours
    with connection.execute_wrapper(mortal(step)):
        call_command(*words)
    sys.exit()


def mortal(step: int) -> Callable[..., Any]:
    """Wraps each statement, and dies at this step."""
    steps = count(1)

    def take_a_step() -> None:
        if next(steps) == step:
            os.kill(os.getpid(), SIGKILL)

    def statement(execute: Callable[..., Any], *what: Any) -> Any:
        take_a_step()
        answer = execute(*what)
        take_a_step()
        return answer

    return statement


if __name__ == "__main__":
    main()
