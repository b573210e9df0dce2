"""The outside world in a box: one small ASGI application on loopback that plays the providers for demo and tests.

Everything in it is recorded or made up, and its front page says so. It is strict: what the world refuses, it refuses.
Nothing in the product knows it; only base URLs differ. Each part of the world is a folder here and a line in `app.py`.

    python -m carbon_site.sandbox --port 8900 --state .local/sandbox.json
"""
