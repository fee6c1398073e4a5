"""Reports whose every text would like to be more than a text.

Knows what browsers run.  Words that the report's schema lists stay what they are; all else gets a payload behind it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ctcp_forensics import report as contract

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'${alert(3)}`",
    "{{7*7}}{%endif%}",
    "</script><script>alert(4)</script>",
    "<!--<svg/onload=alert(5)>",
    "javascript:alert(6)",
    "&lt;b&gt;",
)
WORDS = {word for name, words in vars(contract).items() if name.endswith("_WORDS") for word in words} | {
    "complete",
    "partial",
    "rejected",
    "fin",
    "rst",
    "silence",
    "capture-ended",
    "open",
    "proof",
    "guard",
}
WORDS |= {"refutation", "unknown", "1", contract.SCHEMA_VERSION}


def hostile(value: Any) -> Any:
    """The same value with payloads; the same text gets the same ones, so that ids still fit together."""
    if isinstance(value, str):
        return value if value in WORDS else value + "".join(PAYLOADS)
    if isinstance(value, msgspec.Struct):
        return type(value)(**{name: hostile(getattr(value, name)) for name in value.__struct_fields__})
    if isinstance(value, dict):
        return {hostile(key): hostile(one) for key, one in value.items()}
    return tuple(map(hostile, value)) if isinstance(value, tuple) else value
