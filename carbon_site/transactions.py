"""Four words for a transaction, where Django's `atomic` has one.

    @transaction            begins here and has committed when it returns; refuses to be nested
    @transaction_required   runs inside the caller's transaction; refuses to run without one
    with savepoint():       may be undone without undoing the rest
    after_commit(call)      a nudge: at once if no transaction is open, never after a roll-back

`ATOMIC_REQUESTS` stays off.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection
from django.db import transaction as django

P = ParamSpec("P")
R = TypeVar("R")

transaction = django.atomic(durable=True)


def transaction_required(func: Callable[P, R]) -> Callable[P, R]:
    @wraps(func)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        # The transaction that a test case wraps around itself does not count.
        if all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
            raise RuntimeError(f"{func.__qualname__} runs inside its caller's transaction")
        return func(*args, **kwargs)

    return inner


@transaction_required
def savepoint() -> django.Atomic:
    return django.atomic()


def after_commit(call: Callable[[], object]) -> None:
    # Robust: a nudge that fails is logged, and the caller still hears that its rows are stored.
    # A lambda: Django logs the name of what failed, and a partial has none.
    django.on_commit(lambda: call(), robust=True)
