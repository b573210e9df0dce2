"""The ledger of tokens: polled, deduplicated, revised and never edited."""
