"""The eleven usage reports. They differ only in what FAMILIES says of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from carbon_site.sandbox.openai.callers import CALLERS, dimensions
from carbon_site.sandbox.openai.history import Totals, View
from carbon_site.sandbox.openai.query import WIDTHS, Askable, Query

Counters = Mapping[str, int]


def tokens(total: Totals) -> Counters:
    """All is text. A bare request counts as uncached; retention is told where it is known of all the others."""
    required = {
        "input_tokens": total.input,
        "output_tokens": total.output,
        "num_model_requests": total.requests,
    }
    if not total.detailed:
        return required
    counters = required | {
        "input_cached_tokens": total.cached,
        "input_cache_write_tokens": total.written,
        "input_uncached_tokens": total.uncached,
        "input_text_tokens": total.uncached,
        "output_text_tokens": total.output,
        "input_cached_text_tokens": total.cached,
    }
    for kind in ("audio", "image"):
        counters |= {f"{use}_{kind}_tokens": 0 for use in ("input", "input_cached", "output")}
    if total.split == total.detailed:
        counters["input_cache_write_30m_tokens"] = total.written_30m
        counters["input_cache_write_12h_tokens"] = total.written_12h
    return counters


def input_only(total: Totals) -> Counters:
    return {"input_tokens": total.input, "num_model_requests": total.requests}


def calls(total: Totals) -> Counters:
    return {"num_requests": total.requests}


def calls_by_models(total: Totals) -> Counters:
    return {"num_requests": total.requests, "num_model_requests": total.requests}


def nothing(total: Totals) -> Counters:
    """The recordings have nothing that a family such as this could be made from."""
    return {}


@dataclass(frozen=True, slots=True)
class Family:
    object: str
    counters: Callable[[Totals], Counters]
    askable: Askable


def family(row: str, counters: Callable[[Totals], Counters], *groups: str, **filters: str) -> Family:
    by_id = {f"{name}s": name for name in ("project_id", "user_id", "api_key_id") if name in groups}
    by_model = {"models": "model"} if "model" in groups else {}
    askable = Askable(groups, by_id | by_model | filters, WIDTHS)
    return Family(f"organization.usage.{row}.result", counters, askable)


KEY = ("project_id", "user_id", "api_key_id")
MODEL = (*KEY, "model")
STORE, LEVEL, SOURCE = "vector_store_id", "context_level", "api_source"
FULL = (*MODEL, "batch", "service_tier", SOURCE)
FAMILIES = {
    "completions": family("completions", tokens, *FULL, batch="batch"),
    "embeddings": family("embeddings", input_only, *MODEL),
    "moderations": family("moderations", input_only, *MODEL),
    "images": family("images", nothing, *MODEL, "size", "source", sizes="size", sources="source"),
    "audio_speeches": family("audio_speeches", nothing, *MODEL),
    "audio_transcriptions": family("audio_transcriptions", nothing, *MODEL),
    "vector_stores": family("vector_stores", nothing, "project_id"),
    "code_interpreter_sessions": family("code_interpreter_sessions", nothing, "project_id"),
    "file_search_calls": family("file_searches", calls, *KEY, STORE, vector_store_ids=STORE),
    "web_search_calls": family("web_searches", calls_by_models, *MODEL, LEVEL, SOURCE, context_levels=LEVEL),
    "decisions": family("decisions", nothing, *FULL, batch="batch"),
}


def rows(name: str, query: Query, view: View, start: int, end: int) -> list[dict[str, Any]]:
    """What one bucket of a family holds: a row for each group that used anything."""
    report = FAMILIES[name]
    groups: dict[tuple[Any, ...], Totals] = {}
    for values, used in _callers(name, query.filters, view, start, end):
        group = tuple(values[dimension] for dimension in query.group_by)
        groups[group] = groups.get(group, Totals()).plus(used)
    blank = dict.fromkeys(report.askable.dimensions)
    return [
        {
            "object": report.object,
            **report.counters(total),
            **blank,
            **dict(zip(query.group_by, group, strict=True)),
        }
        for group, total in groups.items()
    ]


def _callers(
    family: str, filters: Mapping[str, frozenset[str | bool]], view: View, start: int, end: int
) -> Iterator[tuple[Mapping[str, Any], Totals]]:
    used = view.used(start, end)
    for caller, values, total in zip(CALLERS, dimensions(view.account.name), used, strict=True):
        wanted = caller.family == family and all(values[name] in allowed for name, allowed in filters.items())
        if wanted and total.requests:
            yield values, total
