"""Frames → Packets: the kernel decodes the common layers, this room the rest.

Knows what the fast decoder leaves behind: tunnels and radio frames (through dpkt),
IP fragments, ICMP errors.  What nobody knows is counted by reason.  Does not know flows.
"""

from ctcp_forensics.packets.decoder import MAX_ICMP_ERRORS, Decoder
from ctcp_forensics.packets.fragments import MAX_DATAGRAMS
from ctcp_forensics.packets.icmp import IcmpError
from ctcp_forensics.packets.tray import Tray

__all__ = ["MAX_DATAGRAMS", "MAX_ICMP_ERRORS", "Decoder", "IcmpError", "Tray"]
