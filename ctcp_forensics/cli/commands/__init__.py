"""The commands, one module each: what can be asked for, its help, and how it is translated.

Knows the order in which help lists them: that of the imports below.
"""

# isort: off
from ctcp_forensics.cli.commands.app import app
from ctcp_forensics.cli.commands import (
    analyze,
    render,
    fix,
    compare,
    crosscheck,
    demo,
    explain,
    schema,
    doctor,
)

# isort: on

__all__ = ["analyze", "app", "compare", "crosscheck", "demo", "doctor", "explain", "fix", "render", "schema"]
