"""Monthly packs from which a stranger recomputes every figure."""
