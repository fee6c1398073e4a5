"""`python -m ctcp_forensics`: the same as `ctcp-diag`.  Knows nothing else."""

from __future__ import annotations

import sys

from ctcp_forensics.cli import main

if __name__ == "__main__":
    sys.exit(main())
