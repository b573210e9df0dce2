"""What comes in and what goes out, once ASGI is taken off."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, content: object, status: int = 200, **headers: str) -> Self:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(content).encode(), {"content-type": "application/json"} | names)

    def cut_short(self) -> "Answer":
        return Answer(self.status, self.body[: len(self.body) // 2], self.headers)

    async def send(self, send: Send) -> None:
        headers = self.headers | {"content-length": str(len(self.body))}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": self.body})


class Refused(Exception):
    """The request cannot be answered as it wished; `answer` says why, in the words of who refuses."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def bad_switch(message: str, status: int = 400) -> Refused:
    return Refused(Answer.json({"error": message}, status))


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # below the part of the world that answers
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @classmethod
    async def receive(cls, scope: Scope, receive: Receive) -> Self:
        query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        return cls(scope["method"], scope["path"], query, headers, body)

    def below(self, prefix: str) -> "Request":
        return Request(self.method, self.path.removeprefix(prefix), self.query, self.headers, self.body)

    def json(self) -> dict[str, Any]:
        """The object in the body; an empty body is an empty object. Raises Refused if it is anything else."""
        try:
            said = json.loads(self.body or b"{}")
        except ValueError as error:
            raise bad_switch("The body is not JSON.") from error
        if not isinstance(said, dict):
            raise bad_switch("The body is not a JSON object.")
        return said
