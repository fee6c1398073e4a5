"""The page: a report, and traces where there are any, as one HTML file that needs nothing else.

Everything that comes from a capture, a device or a file name passes one place on its way into the page: see templates.
"""

from ctcp_forensics.render.page.document import (
    ARTICLES_AT_A_GLANCE,
    MAX_ARTICLES,
    MAX_ROWS,
    MAX_ROWS_DRAWN,
    ROWS_AT_A_GLANCE,
    flows_at_length,
    page,
)

__all__ = [
    "ARTICLES_AT_A_GLANCE",
    "MAX_ARTICLES",
    "MAX_ROWS",
    "MAX_ROWS_DRAWN",
    "ROWS_AT_A_GLANCE",
    "flows_at_length",
    "page",
]
