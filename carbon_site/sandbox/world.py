"""What every part of the world is given, and what is asked of it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from carbon_site.sandbox.clock import Clock
from carbon_site.sandbox.faults import Fault, Switches
from carbon_site.sandbox.state import State
from carbon_site.sandbox.wire import Answer, Request

Refusal = Callable[[Fault], Answer]
Switch = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class World:
    url: str  # of the sandbox, without a slash at its end
    state: State
    clock: Clock = field(default_factory=Clock)
    faults: Switches = field(default_factory=Switches)


class Part(Protocol):
    """One party of the outside world, below `/{name}`."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings with which the product comes here instead of going out."""

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        """By kind of fault: what it says instead of an answer."""

    @property
    def quirks(self) -> Collection[str]:
        """The kinds of fault that it plays itself, in what it answers."""

    @property
    def switches(self) -> Mapping[str, Switch]:
        """By path: what a test does to it. No fault hits these."""

    def account(self, request: Request) -> str | None:
        """Whose request this is, as far as can be seen before it is admitted."""

    def respond(self, request: Request) -> Answer:
        """The answer when nothing goes wrong. Raises Refused."""


@runtime_checkable
class Metered(Part, Protocol):
    """A part of the world that measures usage."""

    def truth(self, account: str, start: int | None, end: int | None) -> dict[str, Any]:
        """Exact totals of [start, end); by default of all there was."""

    def revise(self, account: str, hour: int, requests: int) -> None:
        """Change one past hour, for good: so many requests more, or fewer if below zero."""
