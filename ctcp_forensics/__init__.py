"""ctcp-diag: a falsifiable verdict on why an IPsec-over-TCP connection died.

Reads packet captures; says which flows carry Cisco's cTCP, whether their duplicate
ACKs went unanswered before they died (Cisco TAC 113578), and how it knows.
"""

__version__ = "0.1.0"
RULES_VERSION = "7"
"""Raised whenever a claim, a threshold or the table of verdicts changes what is said of a case."""
