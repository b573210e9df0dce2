"""OpenAI as a part of the world: routes, keys, pages, and the faults that only a page can have."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from carbon_site.sandbox.openai import costs, errors, keys, projects, usage
from carbon_site.sandbox.openai.callers import CALLERS
from carbon_site.sandbox.openai.history import Account, Accounts, View
from carbon_site.sandbox.openai.query import Askable, Query
from carbon_site.sandbox.openai.truth import truth
from carbon_site.sandbox.traffic import HOUR, recording
from carbon_site.sandbox.wire import Answer, Request
from carbon_site.sandbox.world import Switch, World

Rows = Callable[[Query, View, int, int], list[dict[str, Any]]]
BASE = "/v1/organization"


class OpenAI:
    """`/openai/v1/organization/…`"""

    refusals = errors.REFUSALS
    quirks: Collection[str] = ("growing", "duplicate", "same_cursor", "no_cursor")
    switches: Mapping[str, Switch] = {}

    def __init__(self, world: World) -> None:
        self.world = world
        self.environment: Mapping[str, str] = {"OPENAI_BASE_URL": f"{world.url}/openai/v1"}
        self.accounts = Accounts(world.state)
        for caller in CALLERS:
            recording(caller.recording)  # read it now, and the first answer is as quick as the others

    def account(self, request: Request) -> str | None:
        return keys.account_of(request.headers)

    def respond(self, request: Request) -> Answer:
        if request.method != "GET":
            raise errors.invalid(f"Not allowed to {request.method} on {request.path}.", status=405)
        match request.path.removeprefix(BASE).split("/"):
            case ["", "usage", family] if family in usage.FAMILIES:
                return self._page(request, usage.FAMILIES[family].askable, partial(usage.rows, family))
            case ["", "costs"]:
                return self._page(request, costs.ASKABLE, costs.rows)
            case ["", "projects"]:
                account = self._admit(request, errors.MANAGEMENT_READ)
                return Answer.json(projects.projects(account, request.query))
            case ["", "projects", project, "api_keys"]:
                account = self._admit(request, errors.MANAGEMENT_READ)
                return Answer.json(projects.api_keys(account, project, request.query))
        raise errors.invalid(f"Invalid URL (GET {request.path})", code="unknown_url", status=404)

    def truth(self, account: str, start: int | None, end: int | None) -> dict[str, Any]:
        """Exact totals of [start, end): by default of all there was until now."""
        now = self.world.clock.now()
        known = self.accounts.at(account, now)
        since, until = known.first_hour if start is None else start, now if end is None else end
        return truth(known, since, min(until, now))

    def revise(self, account: str, hour: int, requests: int) -> None:
        self.accounts.revise(self.accounts.at(account, self.world.clock.now()), hour, requests)

    def _admit(self, request: Request, scope: str) -> Account:
        return self.accounts.at(keys.admit(request.headers, scope), self.world.clock.now())

    def _page(self, request: Request, askable: Askable, rows: Rows) -> Answer:
        account = self._admit(request, errors.USAGE_READ)
        query = Query.read(request.query, askable, bound_to=f"{account.name} {request.path}")
        now, width = self.world.clock.now(), query.width.seconds
        ahead = range(query.first_bucket(), min(now + 1, query.end or now + 1), width)
        starts = ahead[: query.limit]
        view = View(account, now, self._growing(account, request.path, starts, now))
        data: list[dict[str, Any]] = [
            {"object": "bucket", "start_time": start, "end_time": start + width} for start in starts
        ]
        for bucket in data:
            bucket["results"] = rows(query, view, bucket["start_time"], bucket["end_time"])
        following = starts.stop if len(ahead) > query.limit else None
        has_more, cursor = self._cursor(account, request.path, query, following)
        return Answer.json({"object": "page", "data": data, "has_more": has_more, "next_page": cursor})

    def _cursor(
        self, account: Account, path: str, query: Query, following: int | None
    ) -> tuple[bool, str | None]:
        """Whether there is more, and how to get at it: the truth, or what a fault makes of it."""
        hit = partial(self.world.faults.hit, "openai", account=account.name, path=path)
        if fault := hit("duplicate"):
            return True, query.cursor(query.first_bucket(), copy=fault.hits)
        if hit("same_cursor"):
            return True, query.page or query.cursor(query.start)
        if hit("no_cursor"):
            return True, None
        return following is not None, None if following is None else query.cursor(following)

    def _growing(self, account: Account, path: str, starts: range, now: int) -> Mapping[int, float]:
        """The last closed hours that are not whole yet, if this page shows any. The share grows with each read."""
        this_hour = now - now % HOUR
        for fault in self.world.faults.standing("openai", "growing", account.name, path):
            hours = range(this_hour - fault.buckets * HOUR, this_hour, HOUR)
            is_shown = starts and starts.start < this_hour and hours.start < starts[-1] + starts.step
            if is_shown and fault.strikes():
                reads = fault.hits if fault.times is None else fault.times
                return dict.fromkeys(hours, fault.hits / (reads + 1))
        return {}
