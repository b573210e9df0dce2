"""What anyone may fetch, so that nobody has to trust the copy in a pack."""

from importlib.resources import files

from django.http import HttpRequest, HttpResponse

from receipts.public import AN_HOUR, public

SCRIPT = files("audit") / "recalculate.py"


@public
def script(request: HttpRequest) -> HttpResponse:
    """The check of packs: standard Python, no network."""
    headers = {"Cache-Control": AN_HOUR}
    return HttpResponse(SCRIPT.read_bytes(), content_type="text/x-python; charset=utf-8", headers=headers)
