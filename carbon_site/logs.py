"""Structured logs, for people or as JSON lines, and the one place that takes secrets out of text."""

import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

# Keys of every provider that we know, our own, session tokens, credentials in addresses, and e-mail addresses.
SECRETS = [
    (
        re.compile(
            r"\b(sk-(?:admin|proj|svcacct|ant|or)?-?|cfk_|whsec_|(?:sk|rk|pk)_(?:live|test)_|AKIA)[\w\-+/=]{6,}"
        ),
        r"\1[hidden]",
    ),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]*\.?[\w-]*"), "[token hidden]"),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w\-.~+/=]{6,}"), r"\1[hidden]"),
    (re.compile(r"(\w+://[^\s:/@]*:)[^\s@/]+(?=@)"), r"\1[hidden]"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[e-mail hidden]"),
]


def redact(text: str) -> str:
    """The text without provider keys, our keys, tokens, passwords in addresses, and e-mail addresses."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


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
    return {key: value if key.startswith("_") else redact_value(value) for key, value in event.items()}


def logging_config(*, level: str, form: str) -> None:
    """Send structlog and the standard library through one formatter: `json` lines, or `console` for people."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    last: Any = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
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
                "django.request": {"level": "ERROR"},  # a 4xx has its line already
            },
        }
    )
