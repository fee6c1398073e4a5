"""Checksums mended by what changed, RFC 1624.

Knows the Internet checksum.  Does not know what it covers: see ip.

A checksum is never computed anew: bytes that the snap length cut off are covered as well, and a checksum that was
wrong, which is evidence of damage on the way, stays wrong by as much as it was.
"""

from __future__ import annotations

from struct import pack_into, unpack_from

ONES = 0xFFFF


def mended(checksum: int, old: bytes, new: bytes) -> int:
    """RFC 1624 §3, equation 3: HC' = ~(~HC + ~m + m'), with all bytes that may have changed as m."""
    before, after = total(old), total(new)
    if before == after:
        return checksum
    # No header is all zeros, so a sum of zero is written as minus zero (RFC 1624 §3).
    return ONES ^ (((ONES ^ checksum) - before + after) % ONES or ONES)


def as_before(old: bytes, new: bytes) -> bytes:
    """`new` with the sum that `old` had, by one word of those that were replaced anyway."""
    replaced = [at for at in range(0, len(old) - 1, 2) if old[at : at + 2] != new[at : at + 2]]
    if not replaced:
        return new
    at = replaced[len(replaced) // 2]
    word = (int.from_bytes(new[at : at + 2], "big") + total(old) - total(new)) % ONES
    return new[:at] + word.to_bytes(2, "big") + new[at + 2 :]


def total(covered: bytes) -> int:
    """The one's complement sum of 16-bit words: 2¹⁶ is 1 modulo 2¹⁶ - 1 (RFC 1071 §2); an odd byte is padded."""
    return int.from_bytes(covered + bytes(len(covered) % 2), "big") % ONES


def mend(frame: bytearray, at: int, old: bytes, new: bytes) -> None:
    """The checksum at `at`, for what it covers, as that was and as it is now; its own two bytes count for nothing.

    `new` still holds the old checksum.
    """
    (checksum,) = unpack_from(">H", frame, at)
    pack_into(">H", frame, at, mended(checksum, old, new))
