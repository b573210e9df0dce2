"""The outside world of the tests: the sandbox in its own process, reached over HTTP like the world itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

Instant = datetime | int  # Unix seconds


class Sandbox:
    """A running sandbox. `environment` has the settings that point to it, `openai` and `clerk` two of them."""

    def __init__(self, state: Path | None = None) -> None:
        command = [sys.executable, "-m", "carbon_site.sandbox", *(["--state", str(state)] if state else [])]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        address = json.loads(self.process.stdout.readline())
        self.url: str = address["url"]
        self.environment: dict[str, str] = address["environment"]
        self.openai, self.clerk = self.environment["OPENAI_BASE_URL"], self.environment["CLERK_ISSUER"]
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.communicate()

    @staticmethod
    def key(account: str, kind: str = "sandbox") -> str:
        return f"sk-admin-{kind}-{account}"

    def clock(self, now: datetime | None = None, *, frozen: bool = True, advance: int = 0) -> None:
        """Set the sandbox's time, move it by seconds, or (with neither) make it the real time again."""
        if now:
            self._switch("PUT", "/clock", {"now": now.isoformat(), "frozen": frozen})
        elif advance:
            self._switch("PUT", "/clock", {"advance": advance})
        else:
            self._switch("DELETE", "/clock")

    def fault(self, kind: str, provider: str = "openai", **options: Any) -> None:
        """Something goes wrong from now on: `carbon_site.sandbox.faults.KINDS` says what can."""
        self._switch("PUT", "/faults", {provider: {kind: options}})

    def heal(self, account: str | None = None) -> None:
        """Nothing goes wrong any more, or nothing of one account's own."""
        self._switch("DELETE", "/faults", params={"account": account} if account else {})

    def truth(self, account: str, start: Instant | None = None, end: Instant | None = None) -> dict[str, Any]:
        """What the account at OpenAI really used: {"usage": {family: {"total", "models"}}, "costs_usd"}."""
        span = {name: seconds(at) for name, at in {"start": start, "end": end}.items() if at is not None}
        return self._switch("GET", f"/truth/openai/{account}", params=span)

    def ask(self, path: str, account: str = "acme", key: str | None = None, **query: Any) -> httpx.Response:
        """One answer of OpenAI's `/organization/{path}` to the account's key, or to another."""
        headers = {"Authorization": f"Bearer {key or self.key(account)}"}
        asked = {name: value for name, value in query.items() if value is not None}
        return self.http.get(f"/openai/v1/organization/{path}", params=asked, headers=headers)

    def rows(self, path: str, account: str = "acme", **query: Any) -> list[dict[str, Any]]:
        """Every row of every page."""
        page = self.ask(path, account, **query).raise_for_status().json()
        found = [row for bucket in page["data"] for row in bucket["results"]]
        if page["has_more"]:
            return found + self.rows(path, account, **query | {"page": page["next_page"]})
        return found

    def sign(self, claims: dict[str, Any] | None = None, headers: dict[str, Any] | None = None) -> str:
        """A session token of Clerk; a claim or header that is None is left out."""
        token = self._switch("POST", "/clerk/sign", {"claims": claims or {}, "headers": headers or {}})["jwt"]
        return str(token)

    def rotate(self) -> None:
        self._switch("POST", "/clerk/rotate")

    def _switch(self, method: str, path: str, body: object = None, **options: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, json=body, **options).raise_for_status()
        return dict(answer.json())


def seconds(instant: Instant) -> int:
    return instant if isinstance(instant, int) else int(instant.astimezone(UTC).timestamp())


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
