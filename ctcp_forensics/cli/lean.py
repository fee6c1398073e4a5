"""Lean: what a start is spared.

Knows what `msgspec` loads and does not need for what is done here.  Does not know what is done with it.
"""

from __future__ import annotations

import _datetime  # type: ignore[import-not-found]
import os
import sys
from types import ModuleType

ABSENT = "typing_extensions"
"""msgspec asks for it first, and for `typing` where it is absent, which has had the same since Python 3.11.  It brings
`inspect`, `ast`, `dis` and `tokenize`: all together a seventh of what a small capture takes."""

NAMED_ONLY = ("msgspec.inspect", "textwrap", "msgspec.msgpack", "msgspec.toml", "msgspec.yaml")
"""Asked for by whoever describes types, which is done for `ctcp-diag schema`, or wants another form than JSON."""


class Later(ModuleType):
    """In place of a module that is only named at first: it is loaded where something of it is asked for."""

    def __getattr__(self, name: str) -> object:
        from importlib import import_module

        make_way(self.__name__, self)
        return getattr(import_module(self.__name__), name)


def load_records() -> None:
    """Load msgspec without all that; whoever wants any of it later has it as ever."""
    if "msgspec" in sys.modules:
        return
    instead = {name: one for name, one in stand_ins().items() if name not in sys.modules}
    sys.modules.update(instead)  # type: ignore[arg-type]  # what is None cannot be imported (Python reference, 5.3.1)
    try:
        import msgspec  # noqa: F401  # for all that come after
    finally:
        for name, one in instead.items():
            make_way(name, one)


def stand_ins() -> dict[str, ModuleType | None]:
    """By the names that they stand for."""
    platform = Later("platform")  # it compiles many patterns, and `uuid` asks it for one word
    vars(platform)["system"] = lambda: os.uname().sysname
    return {
        ABSENT: None,
        "platform": platform,
        # The classes themselves, which have no public name: until Python 3.12 `datetime` first makes all those in
        # Python that they replace.
        "datetime": _datetime,
        **{name: Later(name) for name in NAMED_ONLY},
    }


def make_way(name: str, one: ModuleType | None) -> None:
    """For the module itself, where a stand-in has its place."""
    if name in sys.modules and sys.modules[name] is one:
        del sys.modules[name]
