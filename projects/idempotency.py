"""One object for one `Idempotency-Key`, however often the request is sent and wherever it is cut off.

The claim commits first and carries the id of the object to be; the service is given that id, and answers with the object
if it is there already; then the answer is kept for a day. A durable service cannot be wrapped in one transaction.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from carbon_site.ids import new_id
from carbon_site.problems import Conflict, Problem
from carbon_site.transactions import transaction
from projects.auth import Credential
from projects.models import IdempotentAnswer

TAKEN_OVER_AFTER = timedelta(minutes=1)
Create = Callable[..., Response]
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    "header",
    description="Send a request again with the same key: one object, the same answer.",
)
creates = extend_schema(parameters=[IDEMPOTENCY_KEY])


class IdempotencyKeyMalformed(Problem):
    """An Idempotency-Key is 1 to 200 printable ASCII characters."""

    status = 400


class IdempotencyMismatch(Problem):
    """This Idempotency-Key was used for another request."""


class IdempotencyInProgress(Conflict):
    """The first request with this Idempotency-Key is still being worked on."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(int(TAKEN_OVER_AFTER.total_seconds()))}


class IdempotencySecret(Conflict):
    """The answer to this Idempotency-Key showed a secret, and was not kept."""


class SecretResponse(Response):
    """An answer that shows a secret, and is not kept."""


def idempotent(prefix: str) -> Callable[[Create], Create]:
    """Decorates the creating action of a viewset: it is given `new_id`, the id of the object to be.

    Without the header each request makes an object. Only answers that made one are kept; after a refusal the key is free again.
    """

    def decorate(create: Create) -> Create:
        @wraps(create)
        def inner(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
            if (key := request.headers.get("Idempotency-Key")) is None:
                return create(view, request, *args, new_id=new_id(prefix), **kwargs)
            claim = _claim(request, key, prefix)
            if claim.is_answered:
                return Response(claim.answer, status=claim.status, headers={"Idempotent-Replayed": "true"})
            return _answer(claim, lambda: create(view, request, *args, new_id=claim.object_id, **kwargs))

        return inner

    return decorate


def _claim(request: Request, key: str, prefix: str) -> IdempotentAnswer:
    if not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise IdempotencyKeyMalformed()
    who = cast(Credential, request.auth)
    body = json.dumps(request.data, sort_keys=True).encode()
    return claim_key(
        organization_id=who.organization_id,
        credential=who.id,
        key=key,
        route=f"{request.method} {request.path}",
        body_digest=hashlib.sha256(body).digest(),
        object_id=new_id(prefix),
        now=timezone.now(),
    )


def _answer(claim: IdempotentAnswer, create: Callable[[], Response]) -> Response:
    try:
        response = create()
    except IdempotencySecret:
        raise
    except (Problem, APIException):
        _own(claim).delete()  # refused before anything was made
        raise
    is_secret = isinstance(response, SecretResponse)
    answer = None if is_secret else json.loads(JSONRenderer().render(response.data))
    _own(claim).update(status=response.status_code, is_secret=is_secret, answer=answer)
    return response


def _own(claim: IdempotentAnswer) -> Any:
    """The claim, unless somebody has taken it over because we took so long: then the answer is theirs."""
    claims = IdempotentAnswer.objects.for_organization(claim.organization_id)
    return claims.filter(pk=claim.pk, claimed_at=claim.claimed_at, status=None)


@transaction
def claim_key(
    *,
    organization_id: str,
    credential: str,
    key: str,
    route: str,
    body_digest: bytes,
    object_id: str,
    now: datetime,
) -> IdempotentAnswer:
    """Be the one who works on this key, or get the answer that is there.

    Raises IdempotencyMismatch, IdempotencyInProgress, IdempotencySecret.
    """
    answers = IdempotentAnswer.objects.for_organization(organization_id)
    answers.filter(claimed_at__lte=now - settings.IDEMPOTENCY_KEPT).delete()
    claim: IdempotentAnswer
    claim, is_new = answers.select_for_update(of=("self",)).get_or_create(
        organization_id=organization_id,
        credential=credential,
        key=key,
        defaults={"route": route, "body_digest": body_digest, "object_id": object_id, "claimed_at": now},
    )
    if is_new:
        return claim
    if (claim.route, bytes(claim.body_digest)) != (route, body_digest):
        raise IdempotencyMismatch(f"It was used for {claim.route} with another body, or another address.")
    if claim.is_secret:
        raise IdempotencySecret(
            f"{claim.object_id} was made; delete it, and use another key.", object=claim.object_id
        )
    if not claim.is_answered:
        if now < claim.claimed_at + TAKEN_OVER_AFTER:
            raise IdempotencyInProgress("Ask again in a minute.")
        claim.claimed_at = now
        claim.save(update_fields=["claimed_at"])
    return claim
