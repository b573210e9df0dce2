"""Keys to provider accounts, and one client module a provider that yields plain rows of usage."""
