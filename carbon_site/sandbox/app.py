"""The application: which parts the world has, and how a request meets its faults."""

import asyncio
from collections.abc import Callable

from carbon_site.sandbox.clerk.service import Clerk
from carbon_site.sandbox.controls import Controls
from carbon_site.sandbox.openai.service import OpenAI
from carbon_site.sandbox.wire import Answer, Receive, Refused, Request, Scope, Send
from carbon_site.sandbox.world import Part, World

PARTS: dict[str, Callable[[World], Part]] = {"openai": OpenAI, "clerk": Clerk}


class Sandbox:
    """One ASGI application for all of the outside world and the switches to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.parts: dict[str, Part] = {name: part(world) for name, part in PARTS.items()}
        self.controls = Controls(world, self.parts)

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which the product comes here instead of going out."""
        return {name: value for part in self.parts.values() for name, value in part.environment.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self.answer(await Request.receive(scope, receive))
        await answer.send(send)

    async def answer(self, request: Request) -> Answer:
        name = request.path.split("/")[1]
        try:
            if name not in self.parts:
                return self.controls.respond(request)
            request = request.below(f"/{name}")
            if switch := self.parts[name].switches.get(request.path):
                return switch(request)
            return await self._respond(name, self.parts[name], request)
        except Refused as refused:
            return refused.answer

    async def _respond(self, name: str, part: Part, request: Request) -> Answer:
        about = (part.account(request), request.path)
        if fault := self.world.faults.hit(name, "slow", *about):
            await asyncio.sleep(fault.seconds)
        for kind, refusal in part.refusals.items():
            if fault := self.world.faults.hit(name, kind, *about):
                return refusal(fault)
        answer = part.respond(request)
        return answer.cut_short() if self.world.faults.hit(name, "truncated", *about) else answer
