"""Is it alive, is it ready, how is it: answered before host checks and redirects, as a load balancer calls by address."""

import hmac
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from carbon_site.throttles import counters

HEALTH_KEY = "carbon:health-check"  # the worker writes it (`carbon_site/worker.py`)
Check = Callable[[], str | None]  # what is wrong, or None


def probes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: `/livez`, `/readyz` and `/health`."""
    answers = {"/livez": livez, "/readyz": readyz, "/health": health}

    def middleware(request: HttpRequest) -> HttpResponse:
        answer = answers.get(request.path)
        if answer is None or request.method not in ("GET", "HEAD"):
            return get_response(request)
        response = answer(request)
        response["Cache-Control"] = "no-store"
        return response

    return middleware


def livez(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "pass"})


def readyz(request: HttpRequest) -> HttpResponse:
    """It can work: 503 without a database. Without Redis it works, degraded: rate limits are off and tasks wait for their sweep."""
    if database():
        return JsonResponse({"status": "fail"}, status=503)
    return JsonResponse({"status": "degraded" if queue() else "pass"})


def health(request: HttpRequest) -> HttpResponse:
    """How each part is (draft-inadarei-api-health-check): 503 for `fail`; its checks only for operators."""
    wrong = {"database": database(), "redis": queue(), "worker": worker()}
    status = "fail" if wrong["database"] else "warn" if any(wrong.values()) else "pass"
    document: dict[str, Any] = {"status": status}
    if settings.LOCAL or _is_operator(request):
        document["checks"] = {name: [_finding(name, detail)] for name, detail in wrong.items()}
    code = 503 if status == "fail" else 200
    return JsonResponse(document, status=code, content_type="application/health+json")


def database() -> str | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            (user,) = cursor.fetchone()
    except DatabaseError as error:
        return f"does not answer: {type(error).__name__}"
    return (
        None
        if user == "carbon_app"
        else f"the app is {user}, before whom no wall stands; it must be carbon_app"
    )


def queue() -> str | None:
    try:
        counters().ping()
    except (redis.RedisError, OSError) as error:
        return f"does not answer: {type(error).__name__}"
    return None


def worker() -> str | None:
    try:
        return None if counters().exists(HEALTH_KEY) else "no worker has reported for a minute"
    except (redis.RedisError, OSError):
        return "unknown while Redis is away"


def _finding(name: str, detail: str | None) -> dict[str, str]:
    bad = "fail" if name == "database" else "warn"
    return {"status": "pass"} if detail is None else {"status": bad, "output": detail}


def _is_operator(request: HttpRequest) -> bool:
    token = f"Bearer {settings.OPS_TOKEN}"
    return bool(settings.OPS_TOKEN) and hmac.compare_digest(
        request.headers.get("Authorization", "").encode(), token.encode()
    )
