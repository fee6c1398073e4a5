"""Row: what `typing.NamedTuple` makes of a class, at a tenth of its cost.

Python compiles a constructor of its own for each named tuple, and the longer its list of names the longer that takes:
5 M instructions for ninety-five, an eighth of what a start of Python takes.  Rows of the kernel are made from tuples,
so one constructor does for all of them.  Knows names and their order.  Does not know what they mean: see rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import _tuplegetter  # what a named tuple's fields are: as fast as C reads a tuple

    class RowType(type):
        """Makes a row of a class that names its fields as NamedTuple wants them.  None has a default."""

        def __new__(cls, name, bases, body):
            fields = tuple(body.get("__annotations__", ()))
            getters = {field: _tuplegetter(place, None) for place, field in enumerate(fields)}
            named = {"__slots__": (), "__match_args__": fields, "_fields": fields}
            return super().__new__(cls, name, bases, body | getters | named)

    class NamedTuple(tuple, metaclass=RowType):
        """The same names as `typing.NamedTuple` gives, with the same meaning."""

        __slots__ = ()
        _field_defaults = {}  # noqa: RUF012  # as in a named tuple; whoever decodes rows asks for it

        def __new__(cls, *values, **named):
            if named or len(values) != len(cls._fields):
                return cls._in_order(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _in_order(cls, values, named):
            rest = cls._fields[len(values) :]
            if named.keys() != set(rest):
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}")
            return cls._make((*values, *map(named.__getitem__, rest)))

        @classmethod
        def _make(cls, values):
            row = tuple.__new__(cls, values)
            if len(row) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(row)}")
            return row

        def _replace(self, /, **named):
            return type(self)(**(self._asdict() | named))

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def __getnewargs__(self):
            return tuple(self)
