"""Addresses outside /api/v1 that stand in packs, and so never change."""

from django.urls import path

from audit import public

urlpatterns = [path("recalculate.py", public.script)]
