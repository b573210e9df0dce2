"""What OpenAI says when it does not answer. The wording of a missing scope is a bare string, as seen in the field."""

from collections.abc import Mapping

from carbon_site.sandbox.faults import Fault
from carbon_site.sandbox.wire import Answer, Refused
from carbon_site.sandbox.world import Refusal

USAGE_READ, MANAGEMENT_READ = "api.usage.read", "api.management.read"


def error(
    status: int, message: str, kind: str, *, param: str | None = None, code: str | None = None
) -> Answer:
    return Answer.json({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


def invalid(
    message: str, param: str | None = None, code: str = "invalid_request_error", status: int = 400
) -> Refused:
    return Refused(error(status, message, "invalid_request_error", param=param, code=code))


def no_key() -> Refused:
    message = "Missing bearer authentication in header"
    return Refused(error(401, message, "invalid_request_error"))


def unknown_key(hint: str = "0000") -> Answer:
    message = (
        f"Incorrect API key provided: sk-admin-****************{hint}. "
        "You can find your API key at https://platform.openai.com/account/api-keys."
    )
    return error(401, message, "invalid_request_error", code="invalid_api_key")


def missing_scope(scope: str) -> Answer:
    message = (
        f"You have insufficient permissions for this operation. Missing scopes: {scope}. "
        "Check that you have the correct role in your organization, "
        "and if you're using a restricted API key, that it has the necessary scopes."
    )
    return Answer.json({"error": message}, 403)


def missing_scope_as_object(scope: str) -> Answer:
    """The other form of the same refusal, seen as well."""
    said = missing_scope(scope)
    words = said.body.decode().removeprefix('{"error": "').removesuffix('"}')
    return error(401, words, "invalid_request_error")


def quota() -> Answer:
    message = "You exceeded your current quota, please check your plan and billing details."
    return error(429, message, "insufficient_quota", code="insufficient_quota")


def throttled() -> Answer:
    message = "Rate limit reached for requests. Please try again later."
    return error(429, message, "requests", code="rate_limit_exceeded")


def throttled_until(fault: Fault) -> Answer:
    said = throttled()
    return Answer(said.status, said.body, said.headers | {"retry-after": str(fault.retry_after)})


def broken() -> Answer:
    return error(
        500, "The server had an error while processing your request. Sorry about that!", "server_error"
    )


REFUSALS: Mapping[str, Refusal] = {
    "revoked": lambda fault: unknown_key(),
    "unscoped": lambda fault: missing_scope(USAGE_READ),
    "quota": lambda fault: quota(),
    "throttled": throttled_until,
    "throttled_silent": lambda fault: throttled(),
    "broken": lambda fault: broken(),
}
