"""How the schema (OpenAPI) describes what this API takes and answers, where its framework cannot know."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

from carbon_site.ids import ALPHABET, LENGTH

TEXT = {"type": "string"}


class Schema(AutoSchema):
    """Of an endpoint: an id in its address is a prefixed word, where the database has a uuid."""

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._resolve_path_parameters(variables)
        for parameter in found:
            if parameter["name"] == "id":
                view: Any = self.view
                parameter.pop("description", None)
                parameter["schema"] = id_schema(view.model._meta.pk.prefix)
        return found


def id_schema(prefix: str) -> dict[str, str]:
    return TEXT | {"pattern": f"^{prefix}_[0-7][{ALPHABET}]{{{LENGTH - 1}}}$"}


class IdSchema(OpenApiSerializerFieldExtension):
    """Of an id in a body or an answer."""

    target_class = "carbon_site.serializers.IdField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, str]:
        return id_schema(self.target.prefix)


class ObjectSchema(OpenApiSerializerFieldExtension):
    """Of our JSON columns, which hold objects. Of anything at all, the framework would say `null` twice."""

    target_class = "rest_framework.serializers.JSONField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": True}


class ListSchema(OpenApiSerializerFieldExtension):
    """Of a list of objects: in a body, also how long it may be."""

    target_class = "rest_framework.serializers.ListSerializer"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        rows = self.target
        schema: dict[str, Any] = auto_schema._map_serializer_field(rows, direction, bypass_extensions=True)
        if direction == "request":
            bounds = {"minItems": 0 if rows.allow_empty else 1, "maxItems": rows.max_length}
            schema |= {name: bound for name, bound in bounds.items() if bound}
        return schema


PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": TEXT | {"format": "uri", "description": "A stable word for the kind of problem."},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "instance": TEXT,
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {"field": TEXT, "code": TEXT, "detail": TEXT},
            },
        },
    },
    "additionalProperties": True,
}


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say in the schema with which problems each operation may answer."""
    components = result["components"]
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["responses"] = {
        "Problem": {
            "description": "A problem (RFC 9457).",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            for code in sorted(refusals(path, method, operation)):
                operation["responses"].setdefault(code, {"$ref": "#/components/responses/Problem"})
    return result


def refusals(path: str, method: str, operation: dict[str, Any]) -> set[str]:
    """The statuses of the problems that an operation may answer with."""
    asked = {parameter["name"] for parameter in operation.get("parameters", ())}
    is_ours, makes = "security" in operation, "Idempotency-Key" in asked
    when = {
        "400 406 429 5XX": True,
        "401 403": is_ours,
        "402": makes,
        "404": makes or "{" in path or "cursor" in asked,  # a new thing may name what is not there
        "409 422": is_ours and method != "get",
        "413 415": "requestBody" in operation,
    }
    return {code for codes, may_happen in when.items() if may_happen for code in codes.split()}
