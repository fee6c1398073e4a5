"""Names: what kind of thing a user's word for a capture names.

Knows the text, and that a file of that very name comes first.
"""

from __future__ import annotations

import os
import re
from typing import Final

STDIN: Final = "-"
SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
"""RFC 3986 §3.1, and `//`, so that no file name with a colon is taken for a URL."""


def is_url(source: str) -> bool:
    return SCHEME.match(source) is not None and not os.path.lexists(source)


def scheme_of(url: str) -> str:
    found = SCHEME.match(url)
    return found[1].lower() if found else ""
