"""What can go wrong in a way that a caller can understand: RFC 9457 problems as exception classes.

A problem stands beside the function that raises it. Its class name is its type, the first line of its docstring its
title, its message the detail; anything that is not a Problem is a mistake of ours.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar


class Problem(Exception):
    """The request cannot be carried out."""

    status: ClassVar[int] = 422

    def __init__(self, detail: str = "", **extensions: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions: Mapping[str, Any] = extensions  # further members of the problem document

    @classmethod
    def slug(cls) -> str:
        """`PlanLimit` is `plan-limit`: stable, part of the API."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0].rstrip(".")

    @property
    def headers(self) -> dict[str, str]:
        return {}


class NotFound(Problem):
    """There is no such thing, or it is not yours."""

    status = 404


class Conflict(Problem):
    """The request does not fit what is there."""

    status = 409


class NotAllowed(Problem):
    """Your role or the scope of your key does not allow this."""

    status = 403
