"""The switches, the truth and the front page: what the outside world does not have."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

from carbon_site.sandbox.faults import EVERYWHERE, KINDS
from carbon_site.sandbox.traffic import DAY, HOUR
from carbon_site.sandbox.wire import Answer, Request, bad_switch
from carbon_site.sandbox.world import Metered, Part, World

LATE = 7  # requests that a revision adds to an hour, unless it says how many
PAGE = Template((Path(__file__).parent / "index.html").read_text())


class Controls:
    def __init__(self, world: World, parts: Mapping[str, Part]) -> None:
        self.world, self.parts = world, parts

    def respond(self, request: Request) -> Answer:
        match request.method, request.path.split("/")[1:]:
            case "GET", [""]:
                return self._page()
            case "GET", ["truth", part, account]:
                asked = dict(request.query)
                start, end = (_whole(asked[name]) if name in asked else None for name in ("start", "end"))
                return Answer.json(self._metered(part).truth(account, start, end))
            case "GET" | "PUT" | "DELETE", ["clock"]:
                return self._clock(request)
            case "GET" | "PUT" | "DELETE", ["faults"]:
                return self._faults(request)
        raise bad_switch(f"There is no {request.method} {request.path} here.", 404)

    def _clock(self, request: Request) -> Answer:
        clock = self.world.clock
        if request.method == "DELETE":
            clock.run_on()
        if request.method == "PUT":
            match request.json():
                case {"now": str(now), "frozen": bool(frozen)}:
                    clock.set(_instant(now), frozen=frozen)
                case {"now": str(now)}:
                    clock.set(_instant(now), frozen=True)
                case {"advance": int(seconds)}:
                    clock.advance(seconds)
                case _:
                    raise bad_switch('Say {"now": "2026-11-25T12:00:00Z"} or {"advance": 3600}.')
        return Answer.json(clock.face())

    def _faults(self, request: Request) -> Answer:
        if request.method == "DELETE":
            self.world.faults.clear(dict(request.query).get("account"))
        if request.method == "PUT":
            for part, kinds in request.json().items():
                if part not in self.parts or not isinstance(kinds, dict):
                    raise bad_switch(
                        f'Say {{"openai": {{"broken": {{}}}}}}; there are {", ".join(self.parts)}.'
                    )
                for kind, options in kinds.items():
                    self._switch_on(part, kind, options)
        return Answer.json({"faults": self.world.faults.face()})

    def _switch_on(self, name: str, kind: str, options: dict[str, Any]) -> None:
        part = self.parts[name]
        if kind == "revised":
            self._revise(name, {"hour": self.world.clock.now() - DAY, "requests": LATE} | options)
        elif kind in EVERYWHERE or kind in part.refusals or kind in part.quirks:
            self.world.faults.set(name, kind, options)
        else:
            raise bad_switch(f"{name} has no such fault: {kind}.")

    def _revise(self, name: str, options: dict[str, Any]) -> None:
        match options:
            case {"account": str(account), "hour": int(hour), "requests": int(requests)}:
                self._metered(name).revise(account, hour - hour % HOUR, requests)
            case _:
                raise bad_switch("revised takes account, hour (Unix seconds, else a day ago) and requests.")

    def _metered(self, name: str) -> Metered:
        part = self.parts.get(name)
        if not isinstance(part, Metered):
            raise bad_switch(f"{name} measures no usage here.", 404)
        return part

    def _page(self) -> Answer:
        faults = "\n".join(f"<dt><code>{kind}</code></dt><dd>{what}</dd>" for kind, what in KINDS.items())
        body = PAGE.substitute(url=self.world.url, faults=faults)
        return Answer(200, body.encode(), {"content-type": "text/html; charset=utf-8"})


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise bad_switch(f"{text} is no Unix time in whole seconds.") from error


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_switch(f"{text} is no time in ISO 8601.") from error
    if instant.tzinfo is None:
        raise bad_switch(f"{text} does not say its offset from UTC.")
    return instant
