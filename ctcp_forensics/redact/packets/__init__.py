"""Frames under pseudonyms: addresses, MACs and payloads replaced, lengths kept, checksums mended.

Knows one frame at a time.  Does not know flows, nor files: see annotate.  What a diagnosis is made of stays as it
was: times, ports, TCP's fields, SPIs, sequence numbers and trailers of cTCP, headers of IKE (decision 11).
"""

from ctcp_forensics.redact.packets.rewriter import Rewriter

__all__ = ["Rewriter"]
