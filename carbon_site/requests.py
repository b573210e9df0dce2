"""What happens around each request: its id, its line in the log, and a body that is read strictly."""

import json
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from carbon_site.logs import redact
from carbon_site.problems import Problem

log = structlog.get_logger(__name__)
LONGEST_PATH = 500  # that is logged
ACCEPTED_ID = re.compile(r"[\w.:\-]{1,80}", re.ASCII)


class BodyTooLarge(Problem):
    """The body of the request is too large."""

    status = 413


def request_id(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give each request an id (the caller's, if it is a plain one and no secret): echoed, logged, and carried into the jobs it starts."""

    def middleware(request: HttpRequest) -> HttpResponse:
        asked = request.headers.get("X-Request-ID", "")
        is_plain = ACCEPTED_ID.fullmatch(asked) and redact(asked) == asked
        identity = asked if is_plain else uuid4().hex
        begun = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=identity):
            response = get_response(request)
            took = round(1000 * (time.perf_counter() - begun), 1)
            log.info(
                "request",
                method=request.method,
                path=request.path[:LONGEST_PATH],
                status=response.status_code,
                ms=took,
            )
        response["X-Request-ID"] = identity
        return response

    return middleware


def current_request_id() -> str | None:
    return structlog.contextvars.get_contextvars().get("request_id")


class JSONParser(BaseParser):
    """JSON as RFC 8259 has it and no more: no NaN, no name twice, no lone surrogate, no endless number."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.MAX_BODY + 1)
        if len(body) > settings.MAX_BODY:
            raise BodyTooLarge(f"At most {settings.MAX_BODY} bytes.")
        try:
            said = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twins)
            json.dumps(said, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {_reason(error)}.") from error
        return said


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return names


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeError):
        return "it is not valid UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).split(";")[0]
