"""Addresses outside /api/v1 that stand in signed documents, and so never change."""

from django.urls import path

from receipts import public

urlpatterns = [
    path("verify/<str:token>.json", public.receipt_json),
    path("verify/<str:token>.jws", public.receipt_jws),
    path("verify/<str:token>.pdf", public.receipt_pdf),
    path("verify/<str:token>", public.page),
    path("verify/<str:token>/proof", public.proof),
    path("status/<int:number>", public.status),
    path(".well-known/did.json", public.did),
    path(".well-known/jwks.json", public.jwks),
    path("keys/<str:kid>.pem", public.pem),
    path("ns/carbon-receipt/v1", public.context),
    path("ns/carbon-receipt/v1/schema", public.schema),
    path("log/checkpoint", public.checkpoint),
    path("log/key", public.log_key),
]
