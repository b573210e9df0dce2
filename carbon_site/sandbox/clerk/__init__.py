"""Clerk's frontend API, as far as a back end needs it: the public keys of session tokens, and such tokens."""
