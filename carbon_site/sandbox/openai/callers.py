"""Who calls what in an account. Every account has the same callers; names and amounts differ by its name."""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import NamedTuple


class Project(NamedTuple):
    name: str
    residency: str
    is_archived: bool = False


PROJECTS = [
    Project("Support assistant", "EU_STORAGE_PROCESSING"),
    Project("Code review", "GLOBAL"),
    Project("Search", "US_STORAGE_PROCESSING"),
    Project("Pilot", "GLOBAL", is_archived=True),
]


class Key(NamedTuple):
    """An API key of a project and who calls with it."""

    name: str
    project: str
    owner: str
    is_of_an_agent: bool = False  # which calls as a service account, through the Agents API


@dataclass(frozen=True, slots=True)
class Caller:
    """One use of a key: a model called at one rhythm."""

    key: Key
    model: str
    recording: str
    busiest: int  # requests in the busiest hour of the week
    rhythm: str = "office"
    family: str = "completions"
    batch: bool = False
    service_tier: str = "default"
    context_level: str | None = None
    vector_store: str | None = None
    writes_cache: bool = False
    splits_writes: bool = False  # its rows say for how long a cache write is kept
    is_bare: bool = False  # its rows have the required counters and no others


CODE, TALK, LONG_TALK = "azure_2023_code", "azure_2023_conv", "mooncake_conversation"
GPT_4O, GPT_5_MINI, GPT_5_2 = "gpt-4o-2024-08-06", "gpt-5-mini-2025-08-07", "gpt-5.2-2025-12-11"
GPT_3_5, FINE_TUNE = "gpt-3.5-turbo-0125", "ft:davinci-002:atelier::Bq3XkT7p"
EMBEDDING, MODERATION = "text-embedding-3-small", "omni-moderation-latest"

ASSISTANT = Key("assistant", "Support assistant", "ada")
NIGHTLY = Key("nightly summaries", "Support assistant", "ben")
EDITOR = Key("editor", "Code review", "cleo")
REVIEWER = Key("reviewer", "Code review", "review-agent", is_of_an_agent=True)
SEARCH = Key("search", "Search", "dan")

CALLERS = [
    Caller(ASSISTANT, GPT_5_2, LONG_TALK, 60, splits_writes=True),
    Caller(ASSISTANT, GPT_4O, TALK, 240),
    Caller(ASSISTANT, GPT_3_5, TALK, 20, is_bare=True),
    Caller(ASSISTANT, MODERATION, TALK, 240, family="moderations"),
    Caller(NIGHTLY, GPT_5_MINI, TALK, 400, "night", batch=True),
    Caller(NIGHTLY, GPT_5_MINI, LONG_TALK, 40, "night", service_tier="flex"),
    Caller(EDITOR, GPT_5_MINI, CODE, 200, service_tier="priority"),
    Caller(EDITOR, FINE_TUNE, CODE, 24),
    Caller(REVIEWER, GPT_5_2, LONG_TALK, 30, "steady", writes_cache=True, splits_writes=True),
    Caller(REVIEWER, GPT_4O, LONG_TALK, 12, writes_cache=True),
    Caller(REVIEWER, GPT_5_2, LONG_TALK, 10, family="web_search_calls", context_level="medium"),
    Caller(SEARCH, GPT_4O, TALK, 45, "steady"),
    Caller(SEARCH, EMBEDDING, TALK, 300, "steady", family="embeddings"),
    Caller(SEARCH, GPT_4O, TALK, 15, family="file_search_calls", vector_store="handbook"),
]


def token(account: str, kind: str, name: str) -> str:
    return blake2b(f"{account}/{kind}/{name}".encode(), digest_size=6).hexdigest()


def organization_id(account: str) -> str:
    return f"org-{token(account, 'organization', '')}"


def project_id(account: str, name: str) -> str:
    return f"proj_{token(account, 'project', name)}"


def user_id(account: str, name: str) -> str:
    return f"user-{token(account, 'user', name)}"


def api_key_id(account: str, name: str) -> str:
    return f"key_{token(account, 'key', name)}"


def email(account: str, name: str) -> str:
    return f"{name}@{account}.example"


@cache
def dimensions(account: str) -> list[dict[str, str | bool | None]]:
    """For each caller what its usage may be grouped and filtered by."""
    return [
        {
            "project_id": project_id(account, caller.key.project),
            "user_id": user_id(account, caller.key.owner),
            "api_key_id": api_key_id(account, caller.key.name),
            "model": caller.model,
            "batch": caller.batch,
            "service_tier": caller.service_tier,
            "api_source": "agents_api" if caller.key.is_of_an_agent else "unlabeled",
            "context_level": caller.context_level,
            "vector_store_id": caller.vector_store and f"vs_{token(account, 'store', caller.vector_store)}",
        }
        for caller in CALLERS
    ]
