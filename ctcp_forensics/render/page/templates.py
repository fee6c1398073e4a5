"""Templates: how the pages' templates are loaded, and the one place that every text passes on its way into a page.

Knows what a text from a capture, a device or a file name must not do to a page.  Does not know what is on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ctcp_forensics.render.wording import clean

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(
    read: Callable[[str], str], finalize: Callable[[Any], Any], filters: Mapping[str, Callable[..., Any]]
) -> Environment:
    """Templates that `read` finds by name; what they print is finalized and then escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= filters
    return made


def printable(value: Any) -> Any:
    """A text without power over a line or the order of its letters; markup of the templates stays as it is."""
    if type(value) is str:
        return clean(value)
    return f"{value:.1f}" if type(value) is float else value


def coded(text: str) -> Any:
    """What stands between backticks is code; where they do not come in pairs, they are themselves."""
    from markupsafe import Markup, escape

    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return clean(text)
    code = Markup("<code>{}</code>").format
    return Markup("").join(code(part) if at % 2 else escape(part) for at, part in enumerate(parts))
