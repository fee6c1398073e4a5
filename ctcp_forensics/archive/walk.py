"""Walk: until `find` is there."""

import os
from collections.abc import Iterator, Sequence

from ctcp_forensics.archive.entry import Entry, Found, Refusal

MAGIC = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


def find(places: Sequence[str]) -> Iterator[Found]:
    for place in places:
        if os.path.isdir(place):
            for name in sorted(os.listdir(place)):
                yield from find([os.path.join(os.path.abspath(place), name)])
        elif not os.path.exists(place):
            yield Refusal(uri=place, reason="vanished", is_trouble=True)
        else:
            st = os.stat(place)
            with open(place, "rb") as f:
                head = f.read(4)
            if head in MAGIC or head[:2] == b"\x1f\x8b":
                yield Entry(uri=os.path.abspath(place), size=st.st_size, stamp=f"{st.st_mtime_ns}:{st.st_ino}")
            else:
                yield Refusal(uri=os.path.abspath(place), reason="not-a-capture", is_trouble=False)
