"""The projects of an account and their keys: lists by `after` and `limit`, not by page."""

from collections.abc import Sequence
from typing import Any

from carbon_site.sandbox.openai.callers import CALLERS, PROJECTS, Key, api_key_id, email, project_id, user_id
from carbon_site.sandbox.openai.errors import invalid
from carbon_site.sandbox.openai.history import Account
from carbon_site.sandbox.openai.query import Pairs
from carbon_site.sandbox.traffic import DAY

Item = dict[str, Any]


def projects(account: Account, pairs: Pairs) -> dict[str, Any]:
    asked = _once(pairs, "limit", "after", "include_archived")
    archived = asked.get("include_archived", "false")
    if archived not in ("true", "false"):
        raise invalid(
            "Invalid value for 'include_archived': expected a boolean.", "include_archived", "invalid_type"
        )
    found = [_project(account, index) for index in range(len(PROJECTS))]
    return _list([item for item in found if archived == "true" or not item["archived_at"]], asked)


def api_keys(account: Account, project: str, pairs: Pairs) -> dict[str, Any]:
    asked = _once(pairs, "limit", "after", "owner_project_access")
    if project not in {project_id(account.name, each.name) for each in PROJECTS}:
        raise invalid(f"Project {project} not found.", code="project_not_found", status=404)
    keys = dict.fromkeys(
        caller.key for caller in CALLERS if project_id(account.name, caller.key.project) == project
    )
    return _list([_api_key(account, key) for key in keys], asked)


def _project(account: Account, index: int) -> Item:
    project, created_at = PROJECTS[index], account.first_hour - (len(PROJECTS) - index) * 30 * DAY
    return {
        "id": project_id(account.name, project.name),
        "object": "organization.project",
        "name": project.name,
        "created_at": created_at,
        "archived_at": account.first_hour if project.is_archived else None,
        "status": "archived" if project.is_archived else "active",
        "external_key_id": None,
        "residency": project.residency,
    }


def _api_key(account: Account, key: Key) -> Item:
    name = api_key_id(account.name, key.name)
    return {
        "id": name,
        "object": "organization.project.api_key",
        "name": key.name,
        "redacted_value": f"sk-proj-****{name[-4:]}",
        "created_at": account.first_hour - DAY,
        "last_used_at": None,
        "expires_at": None,
        "owner": _owner(account, key),
        "owner_project_access": "active",
    }


def _owner(account: Account, key: Key) -> Item:
    owner: Item = {
        "id": user_id(account.name, key.owner),
        "name": key.owner,
        "role": "member",
        "created_at": account.first_hour - DAY,
    }
    if key.is_of_an_agent:
        return {"type": "service_account", "service_account": owner}
    return {"type": "user", "user": owner | {"email": email(account.name, key.owner)}}


def _once(pairs: Pairs, *known: str) -> dict[str, str]:
    asked = dict(pairs)
    for name in asked:
        if name not in known:
            raise invalid(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    return asked


def _list(items: Sequence[Item], asked: dict[str, str]) -> dict[str, Any]:
    limit = asked.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 100):
        raise invalid(f"Invalid limit provided: {limit}. Limit must be between 1 and 100.")
    ids = [item["id"] for item in items]
    if "after" in asked and asked["after"] not in ids:
        raise invalid(f"No such object: '{asked['after']}'.", "after")
    first = ids.index(asked["after"]) + 1 if "after" in asked else 0
    page = list(items[first : first + int(limit)])
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": first + int(limit) < len(items),
    }
