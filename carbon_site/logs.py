"""Structured logs, for people or as JSON lines, and the one place that takes secrets out of text."""

import logging.config
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

Rule = tuple[re.Pattern[str], str]  # what is to be hidden, and what stands there instead
ANY = r"[\w\-+/=%]{6,}+"
BLANK = r"(?:\s++|%20|\+)"
# No plain word, as in "basic authentication".
CREDENTIAL = r"(?=[\w\-.~+/]*[A-Z\d=]|[\w\-.~+/]{32})[\w\-.~+/=]{6,}+"


def behind(begins: str) -> str:
    """What was just read does not begin within a word; %20 and \\n end in a letter, and are none."""
    return rf"(?:(?<![A-Za-z0-9]{begins})|(?<=%[0-9A-Fa-f]{{2}}{begins})|(?<=\\[nrt]{begins}))"


def key(begins: str, kind: str = "", body: str = ANY) -> Rule:
    """A key by its beginning, of which `kind` is shown too."""
    return re.compile(rf"({begins}{behind(begins)}{kind}){body}"), r"\1[hidden]"


# No text takes longer than its length, as whatever a stranger sends is looked through: what may be long is possessive (`++`),
# or begins once in a word.
KEYS = [
    key("sk-", "(?:admin|proj|svcacct|None|ant|or)-"),  # OpenAI, Anthropic, OpenRouter
    key("sk-", body="[A-Za-z0-9]{20,}+"),
    key("cfk_"),  # ours
    key("[srp]k_", "(?:live|test)_"),  # Stripe, Clerk
    key("whsec_"),
    key("A[KS]IA", body="[A-Z0-9]{16}(?![A-Z0-9])"),  # AWS
    key("eyJ", body=r"[\w-]{5,}+(?:\.[\w-]*+)*+"),  # any JWT
]
SECRETS = [
    *KEYS,
    key("(?i:bearer)", BLANK, CREDENTIAL),
    key("(?i:basic)", BLANK, CREDENTIAL),
    # The password in an address, and in one that stands percent-encoded in another.
    (re.compile(r"(://[^\s:/@]*+:)[^\s/?#]+(?=@)"), r"\1[hidden]"),
    (re.compile(r"(?i)(%3A%2F%2F[^\s:/@%]*+%3A)(?:[^\s/?#&%]|%(?!2F))+(?=%40)"), r"\1[hidden]"),
    (re.compile(r"(?<![\w.+%-])[\w.+%-]+(?:@|%40)(?:[\w-]++\.)+[^\W\d_]{2,}"), "[e-mail hidden]"),
]
OWN = {"_record", "_from_structlog"}  # structlog's own, in each line


def redact(text: str) -> str:
    """The text without provider keys, our keys, tokens, passwords in addresses, and e-mail addresses."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def holds_key(text: str) -> bool:
    """Whether a key or a session token stands in the text."""
    return any(pattern.search(text) for pattern, _ in KEYS)


def redact_value(value: Any) -> Any:
    """The same, for what is nested."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact_value(key): redact_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    return value if isinstance(value, int | float | bool | type(None)) else redact(str(value))


def hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value if key in OWN else redact_value(value) for key, value in event.items()}


def logging_config(*, level: str, form: str) -> None:
    """Send structlog and the standard library through one formatter: `json` lines, or `console` for people."""
    logging.raiseExceptions = False  # else a line that cannot be formatted is printed as it is
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    last: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), *before],
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
                }
            },
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["console"], "level": level},
            "loggers": {
                "httpx": {"level": "WARNING"},  # it logs each address asked for
                # Else its lines would have a form of their own.
                "uvicorn": {"handlers": [], "propagate": True},
                "uvicorn.access": {"handlers": [], "propagate": True},
                "django.request": {"level": "ERROR"},  # a 4xx has its line already
            },
        }
    )
