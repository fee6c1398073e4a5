"""Redaction: a report and its frames under pseudonyms, so that both can be shown to strangers.

Knows which words of a report are names, addresses and hashes, and what a frame gives away.  Does not know files
(see cli) nor how a report is rendered: what is redacted before it is rendered, no rendering can forget
(decision 11).
"""

from ctcp_forensics.redact.key import Key, KeyFileError, text_of_key_file
from ctcp_forensics.redact.packets import Rewriter
from ctcp_forensics.redact.pseudonyms import Pseudonyms
from ctcp_forensics.redact.reports import RedactionError, redacted, undone
from ctcp_forensics.redact.words import undone_text

__all__ = [
    "Key",
    "KeyFileError",
    "Pseudonyms",
    "RedactionError",
    "Rewriter",
    "redacted",
    "text_of_key_file",
    "undone",
    "undone_text",
]
