"""What may be asked, and of whom a cursor may be used. What OpenAI refuses, or does not promise to take, is refused."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Self

from carbon_site.sandbox.openai.errors import invalid
from carbon_site.sandbox.traffic import DAY, HOUR

Pairs = Sequence[tuple[str, str]]


class Width(NamedTuple):
    seconds: int
    default: int  # buckets in a page
    most: int


WIDTHS = {"1m": Width(60, 60, 1440), "1h": Width(HOUR, 24, 168), "1d": Width(DAY, 7, 31)}
CHOICES = {
    "batch": ["true", "false"],
    "context_levels": ["low", "medium", "high"],
    "sizes": ["256x256", "512x512", "1024x1024", "1792x1792", "1024x1792"],
    "sources": ["image.generation", "image.edit", "image.variation"],
}
ALWAYS = {"start_time", "end_time", "bucket_width", "limit", "page"}
ONCE = ALWAYS | {"batch"}


@dataclass(frozen=True, slots=True)
class Askable:
    """What one path can be asked."""

    dimensions: Sequence[str]  # that group_by takes
    filters: Mapping[str, str]  # parameter to dimension
    widths: Mapping[str, Width]


@dataclass(frozen=True, slots=True)
class Query:
    start: int
    end: int | None
    width: Width
    limit: int
    group_by: Sequence[str]
    filters: Mapping[str, frozenset[str | bool]]  # by dimension
    page: str | None
    digest: str  # of everything but the page: what a cursor is bound to

    @classmethod
    def read(cls, pairs: Pairs, askable: Askable, bound_to: str) -> Self:
        """The query, if OpenAI would take it; a cursor it yields works for `bound_to` and the same query only."""
        said = _gather(pairs, askable)
        width = askable.widths[_one_of(said, "bucket_width", list(askable.widths), default="1d")]
        start, end = _time(said, "start_time", width), _time(said, "end_time", width)
        if start is None:
            raise invalid("Missing required parameter: 'start_time'.", code="missing_required_parameter")
        if end is not None and end <= start:
            raise invalid("end_time must be after start_time.", "end_time")
        for name in said.keys() & CHOICES.keys():
            _each_of(said[name], CHOICES[name], name)
        _each_of(said.get("group_by", []), askable.dimensions, "group_by")
        return cls(
            start=start,
            end=end,
            width=width,
            limit=_limit(said, width),
            group_by=said.get("group_by", []),
            filters={
                dimension: frozenset({"true": True, "false": False}.get(value, value) for value in said[name])
                for name, dimension in askable.filters.items()
                if name in said
            },
            page=said.get("page", [None])[0],
            digest=_digest(said, bound_to),
        )

    def first_bucket(self) -> int:
        """Where this page begins. Raises Refused if its cursor was made for another query."""
        if self.page is None:
            return self.start
        try:
            digest, start, _ = json.loads(base64.urlsafe_b64decode(self.page.removeprefix("page_")))
        except (TypeError, ValueError) as error:
            raise invalid("Invalid page token.", "page") from error
        if digest != self.digest:
            raise invalid("This page token belongs to another query.", "page")
        return int(start)

    def cursor(self, start: int, copy: int = 0) -> str:
        """A cursor to the bucket that begins at `start`; `copy` makes another one to the same bucket."""
        return "page_" + base64.urlsafe_b64encode(json.dumps([self.digest, start, copy]).encode()).decode()


def _gather(pairs: Pairs, askable: Askable) -> dict[str, list[str]]:
    known = ALWAYS | {"group_by"} | askable.filters.keys()
    said: dict[str, list[str]] = {}
    for written, value in pairs:
        name = written.removesuffix("[]")
        if name not in known:
            raise invalid(f"Unknown parameter: '{written}'.", written, "unknown_parameter")
        if name in ONCE and (name in said or name != written):
            raise invalid(f"Invalid type for '{name}': expected one value.", name, "invalid_type")
        said.setdefault(name, []).extend(value.split(",") if name == "group_by" else [value])
    return said


def _each_of(values: Iterable[str], choices: Sequence[str], param: str) -> None:
    for value in values:
        if value not in choices:
            supported = ", ".join(f"'{choice}'" for choice in choices)
            message = f"Invalid value: '{value}'. Supported values are: {supported}."
            raise invalid(message, param, "invalid_value")


def _one_of(said: Mapping[str, list[str]], param: str, choices: Sequence[str], default: str) -> str:
    values = said.get(param, [default])
    _each_of(values, choices, param)
    return values[0]


def _whole(said: Mapping[str, list[str]], param: str) -> int | None:
    if param not in said:
        return None
    text = said[param][0]
    if not (text.isascii() and text.isdigit()):
        message = f"Invalid type for '{param}': expected an integer, but got '{text}'."
        raise invalid(message, param, "invalid_type")
    return int(text)


def _time(said: Mapping[str, list[str]], param: str, width: Width) -> int | None:
    """Unix seconds on the edge of a bucket. What OpenAI does between two edges is not known, so here it is refused."""
    time = _whole(said, param)
    if time is not None and time % width.seconds:
        raise invalid(f"{param} must be aligned to the bucket width.", param)
    return time


def _limit(said: Mapping[str, list[str]], width: Width) -> int:
    limit = _whole(said, "limit")
    if limit is None:
        return width.default
    if not 1 <= limit <= width.most:
        bound = f"less than or equal to {width.most}" if limit else "at least 1"
        raise invalid(f"Invalid limit provided: {limit}. Limit must be {bound}.")
    return limit


def _digest(said: Mapping[str, list[str]], bound_to: str) -> str:
    asked = sorted((name, values) for name, values in said.items() if name != "page")
    return blake2b(json.dumps([bound_to, asked]).encode(), digest_size=8).hexdigest()
