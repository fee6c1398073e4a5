"""Kept: a property that is worked out when it is first asked for.

What `functools.cached_property` is, without the lock that it takes until Python 3.12: that costs as much as most of
what is kept here.  Whoever asks is one thread.  Needs a `__dict__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["kept"]

if TYPE_CHECKING:
    from functools import cached_property as kept
else:

    class kept:  # noqa: N801  # it is written as a decorator, as `property` is
        """Works out once, and stands aside from then on: the instance's own attribute is found first."""

        def __init__(self, work):
            self._work, self.__doc__ = work, work.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, one, owner=None):
            if one is None:
                return self
            found = one.__dict__[self._name] = self._work(one)
            return found
