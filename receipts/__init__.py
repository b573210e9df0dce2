"""Retired credits and signed receipts that anyone can verify."""
