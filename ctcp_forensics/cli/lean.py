"""Lean: what a start is spared.

Knows what a library loads and does not need.  Does not know what is done with it.
"""

import sys
from typing import Final

SPARED: Final = "typing_extensions"
"""msgspec asks for it first, and for `typing` where it is absent, which has had the same since Python 3.11.  It brings
`inspect`, `ast`, `dis` and `tokenize`: all together a seventh of what a small capture takes."""


def load_records() -> None:
    """Load msgspec without that package, which whoever wants it later has as ever."""
    if SPARED in sys.modules:
        return
    sys.modules[SPARED] = None  # type: ignore[assignment]  # such a name cannot be imported (Python reference, 5.3.1)
    try:
        import msgspec  # noqa: F401  # for all that come after
    finally:
        del sys.modules[SPARED]
