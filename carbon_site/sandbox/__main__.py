"""`python -m carbon_site.sandbox [--port 0] [--state FILE]`: serve until stopped.

The first line printed says as JSON where, and with which settings the product comes here: {"url", "environment"}.
"""

import argparse
import json
import socket
import sys
from contextlib import suppress
from pathlib import Path

import uvicorn

from carbon_site.sandbox.app import Sandbox
from carbon_site.sandbox.state import State
from carbon_site.sandbox.world import World

HOST = "127.0.0.1"  # nowhere else: what is in here must not be taken for the world


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m carbon_site.sandbox", description="The outside world in a box."
    )
    parser.add_argument("--port", type=int, default=0, help="0, the default: any that is free")
    parser.add_argument("--state", type=Path, help="a file for what must outlive the process")
    options = parser.parse_args()
    # The protocol is named because asyncio sends small answers at once (TCP_NODELAY) only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, options.port))
        listening.listen()
        url = f"http://{HOST}:{listening.getsockname()[1]}"
        application = Sandbox(World(url, State(options.state)))
        sys.stdout.write(json.dumps({"url": url, "environment": application.environment}) + "\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
