"""Lists are read with a cursor: stable while rows arrive, and without counting them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.request import Request


class CursorPagination(pagination.CursorPagination):
    """`?limit=` up to 500 rows, newest first, with the addresses of the pages before and after."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 500
    ordering = "-id"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """The order that the viewset names, if it has a better one than newest first."""
        return tuple(getattr(view, "ordering", [self.ordering]))

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Raises NotFound for a cursor that none of our pages gave, whatever is in it."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError, DataError) as error:
            raise NotFound(self.invalid_cursor_message) from error

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        address = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": address, "previous": address},
        }
