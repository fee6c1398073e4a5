"""What every page carries whatever the report says: scripts, styles, and the policy that allows these and no more.

Knows the files beside it.  Does not know reports.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

VENDOR = "vendor/uPlot.iife.min.js"
STYLES = ("vendor/uPlot.min.css", "page.css")
# In the order in which they build on one another.
SCRIPTS = (
    "elements.js",
    "unpack.js",
    "layers.js",
    "paint.js",
    "nearest.js",
    "diagram.js",
    "flows.js",
    "articles.js",
    "copy.js",
    "start.js",
)


class Assets(NamedTuple):
    """Texts that go into the page as they are."""

    policy: str
    style: str
    library: str
    script: str


@cache
def assets() -> Assets:
    style = "\n".join(map(text_of, STYLES))
    library = text_of(VENDOR)
    script = '(() => {\n"use strict";\n' + "\n".join(map(text_of, SCRIPTS)) + "})();\n"
    return Assets(policy=policy(style, library, script), style=style, library=library, script=script)


def text_of(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def policy(style: str, *scripts: str) -> str:
    """Content Security Policy 3: nothing may be loaded, and only these very texts may run."""
    allowed = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
