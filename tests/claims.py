"""What we never claim (Directive (EU) 2024/825): that credits make use harmless. One list, for all that people read."""

import re

# An offset of CSS, SVG or JavaScript is a distance, and followed by what it is.
CLAIM = re.compile(
    r"\b(?:carbon|climate|co2|co₂)[\s-]*(?:neutral|negative|positive|free)"
    r"|\bnet[\s-]*zero|\bzero[\s-]*(?:carbon|emissions?)|\bcompensat|\boffset(?:s|ting)?\b(?!\s*[:=(])",
    re.IGNORECASE,
)


def claims(text: str) -> list[str]:
    return [found[0] for found in CLAIM.finditer(text)]
