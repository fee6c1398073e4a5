r"""Names: what kind of thing a word for a capture names, and how a hostile name is written down.

Knows `-`, URLs, `container!/member` and escapes.  Touches no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

STDIN: Final = "-"
INTO_MEMBER: Final = re.compile(r"!\d*/")
"""Between a container and its member; `!2/` leads to the second member of that name."""
SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""RFC 3986 §3.1, and what makes a URL of it."""
ESCAPE: Final = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
LOWEST_SURROGATE, HIGHEST_SURROGATE = "\udc80", "\udcff"
"""PEP 383: bytes of a name that are no UTF-8."""


def member_uri(container: str, name: str, nth: int = 1) -> str:
    """What opens a member; containers may hold several of one name."""
    return f"{container}!{'' if nth == 1 else nth}/{name}"


def containers_of(uri: str) -> Iterator[str]:
    """All that could be a container of it, outermost first: `a!/b!/c` may lie in `a` and in `a!/b`."""
    return (uri[: match.start()] for match in INTO_MEMBER.finditer(uri))


def scheme_of(uri: str) -> str | None:
    """`s3` of a URL, None of a path."""
    match = SCHEME.match(uri)
    return None if match is None else match.group().removesuffix("://").lower()


def shown(uri: str) -> str:
    r"""A name without power over a terminal or a line, and pure UTF-8: `unshown` brings it back.

    Bytes that are no UTF-8 become `\xff`, what is not printable `\u202e`, and a backslash two.
    """
    if uri.isprintable() and "\\" not in uri:
        return uri
    return "".join(_shown(character) for character in uri)


def _shown(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if LOWEST_SURROGATE <= character <= HIGHEST_SURROGATE:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def unshown(text: str) -> str:
    """The name that `shown` made this of."""
    return ESCAPE.sub(lambda match: _unshown(match.group(1)), text)


def _unshown(escape: str) -> str:
    if escape == "\\":
        return escape
    code = int(escape[1:], 16)
    return chr(code + 0xDC00 if escape[0] == "x" else code)
