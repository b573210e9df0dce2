"""What the ASGI server serves: `uvicorn carbon_site.asgi:application`."""

import asyncio
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "carbon_site.settings")

from django.core.wsgi import get_wsgi_application

handler = get_wsgi_application()

from django.conf import settings
from django.db import connections

from carbon_site.bridge import Bridge, Message, Receive, Send
from carbon_site.checks import insist

insist()
bridge = Bridge(handler, threads=settings.WEB_THREADS, max_body=settings.MAX_BODY)


async def application(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
    else:
        await bridge(scope, receive, send)


async def live(receive: Receive, send: Send) -> None:
    """From the server's start, which needs nothing of us, to its end."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    bridge.close()
    await asyncio.to_thread(close_pools)
    await send({"type": "lifespan.shutdown.complete"})


def close_pools() -> None:
    for connection in connections.all():
        connection.close_pool()  # type: ignore[attr-defined]
