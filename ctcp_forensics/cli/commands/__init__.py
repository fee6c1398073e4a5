"""The commands, one module each: what can be asked for, its help, and how it is translated.

Knows the order in which help lists them: that of the imports below.
"""

# isort: off
from ctcp_forensics.cli.commands.app import app
from ctcp_forensics.cli.commands import (
    analyze,
    annotate,
    scan,
    merge,
    render,
    fix,
    compare,
    redact,
    crosscheck,
    demo,
    explain,
    schema,
    doctor,
)

# isort: on

__all__ = [
    "analyze",
    "annotate",
    "app",
    "compare",
    "crosscheck",
    "demo",
    "doctor",
    "explain",
    "fix",
    "merge",
    "redact",
    "render",
    "scan",
    "schema",
]
