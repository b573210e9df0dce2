"""A value in a JSON document and where it stands, so that a refusal can name the place and the reason."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn, Self

from carbon_site.problems import Problem

DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
SMALLEST, LARGEST = "0.000000000001", "1000000"


class FactorSetInvalid(Problem):
    """The factor set is not valid."""


@dataclass(frozen=True)
class Node:
    """Each method answers with what the value must be, or raises FactorSetInvalid."""

    value: Any
    place: str = ""

    def refuse(self, reason: str) -> NoReturn:
        raise FactorSetInvalid(f"{self.place or 'The document'} {reason}.")

    def __getitem__(self, name: str) -> Self:
        """A member that must be there."""
        if not isinstance(self.value, dict):
            self.refuse("is not an object")
        if name not in self.value:
            self.refuse(f"has no {name}")
        return self._member(name)

    def __contains__(self, name: str) -> bool:
        return isinstance(self.value, dict) and name in self.value

    def members(self) -> dict[str, Self]:
        if not isinstance(self.value, dict):
            self.refuse("is not an object")
        return {name: self._member(name) for name in self.value}

    def entries(self) -> list[Self]:
        if not isinstance(self.value, list) or not self.value:
            self.refuse("is not a list with something in it")
        return [type(self)(value, f"{self.place}[{index}]") for index, value in enumerate(self.value)]

    def below(self) -> Iterator[Self]:
        """This and everything in it."""
        yield self
        if isinstance(self.value, dict):
            for member in self.members().values():
                yield from member.below()
        elif isinstance(self.value, list) and self.value:
            for entry in self.entries():
                yield from entry.below()

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.refuse("is not a text")
        return self.value

    def word(self) -> str:
        if not self.text().strip():
            self.refuse("is empty")
        return self.text()

    def one_of(self, words: Collection[str]) -> str:
        if self.text() not in words:
            self.refuse(
                f"is “{self.value}”, and must be one of: {', '.join(filter(None, words)) or 'nothing'}"
            )
        return self.text()

    def whole(self, least: int, most: int) -> int:
        if type(self.value) is not int or not least <= self.value <= most:
            self.refuse(f"is not a whole number from {least} to {most}")
        return self.value

    def decimal(self, least: str = SMALLEST, most: str = LARGEST) -> Decimal:
        if not isinstance(self.value, str) or not DECIMAL.fullmatch(self.value):
            self.refuse('is not a decimal number written as a text, such as "0.6"')
        if not Decimal(least) <= Decimal(self.value) <= Decimal(most):
            self.refuse(f"is not from {least} to {most}")
        return Decimal(self.value)

    def pattern(self) -> str:
        try:
            re.compile(self.word())
        except re.error as error:
            self.refuse(f"is not a regular expression: {error}")
        return self.word()

    def _member(self, name: str) -> Self:
        return type(self)(self.value[name], f"{self.place}.{name}" if self.place else name)
