"""Vantage: two or more captures of one path, read as one.

Knows which flows are one connection, how far the clocks are apart, and what became of each segment on the way.
Does not judge: see claims.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctcp_forensics.vantage.names import *  # noqa: F403  # they are listed there
else:

    def __getattr__(name: str) -> object:
        """PEP 562: with one capture nothing of this is asked for, and to load it takes a fifteenth of its judgement."""
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"{__name__}.names"), name)
        return found
