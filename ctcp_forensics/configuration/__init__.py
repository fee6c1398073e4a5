"""Configuration: the changes that the advice offers for the flows of a report, as lines to paste.

Never touches a device.  Nothing of a report gets into a line but addresses and ports that were read and written again:
a stored report may come from anywhere.
"""

from ctcp_forensics.configuration.change import Pack
from ctcp_forensics.configuration.packing import MAX_PAIRS, configure
from ctcp_forensics.configuration.wish import ConfigurationError, Names, Syntax, Wish

__all__ = ["MAX_PAIRS", "ConfigurationError", "Names", "Pack", "Syntax", "Wish", "configure"]
