"""What anyone may fetch: a receipt by its unguessable token, the keys and the log that prove it. No credential, no cookies.

Texts are served as they were signed; nothing is written anew to be verified.
"""

import json
import re
from collections.abc import Callable
from functools import wraps
from importlib.resources import files
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from carbon_site import throttles
from carbon_site.api import problem_json
from carbon_site.problems import Problem
from projects.tenancy import every_organization
from receipts import log, published
from receipts.hand_out import stored
from receipts.keys import PublicKey, issuer
from receipts.models import CarbonReceipt, LogHead, SigningKey, StatusList
from receipts.signers import receipt_signer

TOKEN = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
CONTEXT = files("receipts") / "schema" / "context-v1.json"
SCHEMA = files("receipts") / "schema" / "carbon-receipt-v1.json"
FOR_EVER, AN_HOUR, A_MINUTE = (
    "public, max-age=31536000, immutable",
    "public, max-age=3600",
    "public, max-age=60",
)
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
View = Callable[..., HttpResponse]


def public(view: View) -> View:
    """Counted by address; for any origin, not indexed, and telling no other site where the visitor comes from."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            throttles.admit_address(request)
            response = view(request, *args, **kwargs)
        except Problem as problem:
            return problem_json(problem, request)
        response["Access-Control-Allow-Origin"] = "*"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response

    return require_safe(answer)


@public
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The receipt for people: a page whose script verifies it in the visitor's own browser."""
    try:
        found = _receipt(token)
    except Http404:
        return _page(request, "receipts/none.html", {}, status=404)
    about = {
        "token": token,
        "number": found.number,
        "kid": found.signed["proof"]["verificationMethod"].partition("#")[2],
        "status_list": f"/status/{found.status_list_id}",
        "base": settings.PUBLIC_BASE_URL,
        "has_pdf": bool(found.pdf_sha256),
    }
    return _page(request, "receipts/verify.html", about)


@public
def receipt_json(request: HttpRequest, token: str) -> HttpResponse:
    """The signed receipt, byte for byte."""
    found = _receipt(token)
    return _text(found.document, "application/json", FOR_EVER, found.sha256)


@public
def receipt_jws(request: HttpRequest, token: str) -> HttpResponse:
    """The same document as a compact JWS, which needs no canonical form to be verified."""
    return _text(_receipt(token).jws, "application/vc+jwt", FOR_EVER)


@public
def receipt_pdf(request: HttpRequest, token: str) -> HttpResponse:
    """Its page, with the signed receipt attached; there is none for the moment between signing and rendering."""
    response = pdf_response(_receipt(token))
    response["Cache-Control"] = FOR_EVER
    return response


@public
def proof(request: HttpRequest, token: str) -> HttpResponse:
    """That the log of today has it: a C2SP tlog-proof."""
    return _text(log.inclusion(_receipt(token).leaf_index), "text/plain; charset=utf-8", A_MINUTE)


@public
def status(request: HttpRequest, number: int) -> HttpResponse:
    """A signed list of which receipts are no longer current (W3C Bitstring Status List)."""
    found = StatusList.objects.filter(number=number).first()
    if found is None:
        raise Http404
    return _text(found.document, "application/vc+ld+json", A_MINUTE)


@public
def did(request: HttpRequest) -> HttpResponse:
    """The keys of this issuer as a DID document (did:web)."""
    document = published.did_document(issuer(settings.PUBLIC_BASE_URL), keys())
    return _text(json.dumps(document), "application/did+json", AN_HOUR)


@public
def jwks(request: HttpRequest) -> HttpResponse:
    """The same keys for a JWS library."""
    return _text(json.dumps(published.jwk_set(keys())), "application/jwk-set+json", AN_HOUR)


@public
def pem(request: HttpRequest, kid: str) -> HttpResponse:
    """One key, for OpenSSL."""
    key = next((key for key in keys() if key.kid == kid), None)
    if key is None:
        raise Http404
    return _text(published.pem(key), "application/x-pem-file", AN_HOUR)


@public
def context(request: HttpRequest) -> HttpResponse:
    """What the words of a receipt mean (JSON-LD). It never changes."""
    return _text(CONTEXT.read_text(), "application/ld+json", FOR_EVER)


@public
def schema(request: HttpRequest) -> HttpResponse:
    """The JSON Schema of a receipt, version 1. It never changes."""
    return _text(SCHEMA.read_text(), "application/schema+json", FOR_EVER)


@public
def checkpoint(request: HttpRequest) -> HttpResponse:
    """What the log is now: its size and root, signed."""
    head = LogHead.objects.filter(pk=LogHead.ONLY).first()
    if head is None:
        raise Http404
    return _text(head.checkpoint, "text/plain; charset=utf-8", "no-cache")


@public
def log_key(request: HttpRequest) -> HttpResponse:
    """The verifier key of the log, for the programs of others."""
    return _text(f"{log.log_key()}\n", "text/plain; charset=utf-8", AN_HOUR)


def keys() -> list[PublicKey]:
    """Every key that receipts were signed with, and the one that signs now."""
    owner, now = issuer(settings.PUBLIC_BASE_URL), receipt_signer().public
    known = [
        PublicKey(owner, key.kid, bytes(key.raw)) for key in SigningKey.objects.order_by("first_used_at")
    ]
    return known if now in known else [*known, now]


def _receipt(token: str) -> CarbonReceipt:
    """404 alike for what is malformed, unknown or replaced; the shape is looked at before the database."""
    if not TOKEN.fullmatch(token):
        raise Http404
    with every_organization("public verify"):
        found = CarbonReceipt.unscoped.filter(token=token).first()
    if found is None:
        raise Http404
    return found


def _page(request: HttpRequest, template: str, about: dict[str, Any], status: int = 200) -> HttpResponse:
    response = render(request, template, about, status=status)
    response["Content-Security-Policy"] = POLICY
    response["Cache-Control"] = A_MINUTE
    return response


def pdf_response(receipt: CarbonReceipt) -> HttpResponse:
    """The page of a receipt, named by its number. Raises Http404 while there is none."""
    page = stored(receipt)
    if page is None:
        raise Http404
    named = {
        "Content-Disposition": f'inline; filename="{receipt.number}.pdf"',
        "ETag": f'"{receipt.pdf_sha256}"',
    }
    return HttpResponse(page, content_type="application/pdf", headers=named)


def _text(text: str, content_type: str, cached: str, etag: str | None = None) -> HttpResponse:
    headers = {"Cache-Control": cached} | ({"ETag": f'"{etag}"'} if etag else {})
    return HttpResponse(text, content_type=content_type, headers=headers)
