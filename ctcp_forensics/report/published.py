"""The published JSON Schema of a report, made from its records.

Knows that everything is required: a report always writes every name.
"""

from inspect import cleandoc
from typing import Any

import msgspec

from ctcp_forensics.report.whole import SCHEMA_VERSION, Report

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema of a report.  Everything is required: a report always writes every name."""
    (reference,), definitions = msgspec.json.schema_components((Report,))
    for definition in definitions.values():
        definition["description"] = cleandoc(definition["description"])  # which Python does itself since 3.13
        definition["required"] = list(definition["properties"])
        for facts in definition["properties"].values():
            facts.pop("default", None)
    return {
        "$schema": SCHEMA_ID,
        "title": f"ctcp-diag report {SCHEMA_VERSION}",
        **reference,
        "$defs": definitions,
    }


def schema_json() -> bytes:
    """The published text of the schema, byte for byte."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n"
