"""UTF-8: what a shell or an editor made of a text → the bytes that were meant.

Knows byte order marks (RFC 3629 §6, RFC 2781 §3.2): `>` of Windows PowerShell writes UTF-16 with one, and editors put
one before UTF-8.  Does not know what the text says.
"""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE


def as_utf8(text: bytes) -> bytes:
    """Without its mark; what has none is left alone."""
    if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return text.decode("utf-16", "replace").encode()
    return text.removeprefix(BOM_UTF8)
