"""What the page says to a customer, who may never have seen a capture: verdicts, confidence, outcomes, marks.

Knows the report's words.  Does not know any one flow: see article.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ctcp_forensics.trace import Mark


class Plain(NamedTuple):
    """A verdict in plain words: a heading, and what happened."""

    heading: str
    told: str


VERDICTS: Final = {
    "unanswered-duplicate-acks": Plain(
        "The VPN connection died because a lost segment was never sent again",
        "A segment was lost on its way. A device on the path follows the connection as an ordinary TCP connection "
        "and kept asking for the lost bytes. IPsec over TCP never sends anything again, so the device waited for "
        "ever and let nothing more through: the connection died while its sender was still sending.",
    ),
    "path-mtu-black-hole": Plain(
        "Large packets vanish on the way",
        "Small segments arrive and large ones do not. A link on the path carries only smaller packets, and the "
        "message that would tell the sender so does not reach it.",
    ),
    "firewall-drop": Plain(
        "A filter on the path drops the connection",
        "A device on the path does not let this connection pass: it says so, or what enters it on one side does not "
        "leave it on the other.",
    ),
    "reset-by-middlebox": Plain(
        "A device on the path cut the connection",
        "The message that ended the connection bears the address of one end and looks as if something in between had "
        "made it.",
    ),
    "nat-rebinding": Plain(
        "The client's public address changed under the connection",
        "The client went on from another address or port, which the headend does not know as the same client.",
    ),
    "idle-timeout": Plain(
        "The connection was forgotten during a silence",
        "Neither end had anything to say for a while, and a device on the path stopped keeping track. What was said "
        "afterwards no longer belonged to anything it knew.",
    ),
    "window-stall": Plain(
        "The receiver stopped taking data",
        "The receiver announced that it had no room left, and nothing more could be delivered.",
    ),
    "handshake-failed": Plain(
        "The connection was never opened",
        "The client asked for a connection and none came of it. IPsec over TCP never began.",
    ),
    "negotiation-failed": Plain(
        "The connection stood, and the VPN tunnel was never agreed",
        "The TCP connection was open and both ends began to negotiate the tunnel, but did not finish.",
    ),
    "peer-vanished": Plain(
        "One end fell silent",
        "One end went on sending and nothing came back: the other end was gone, or the way from it was, or what came "
        "back took another way.",
    ),
    "link-down": Plain(
        "Both ends fell silent at the same moment",
        "In the middle of its work the whole connection stopped while the capture went on: a link on the path was "
        "gone.",
    ),
    "reset-by-endpoint": Plain(
        "One end closed the connection by itself",
        "One of the two ends reset the connection, and nothing that was seen before announced it.",
    ),
    "insufficient-evidence": Plain(
        "These captures cannot decide what happened",
        "What would settle it is named below. That nothing is proven does not mean that nothing is wrong.",
    ),
    "answered": Plain(
        "Lost segments were sent again, as they should be",
        "Segments were lost, asked for and sent again. The connection does what TCP does; the failure of Cisco TAC "
        "113578 is not seen.",
    ),
    "loss-tolerated": Plain(
        "Segments were lost, and the connection went on",
        "IPsec over TCP does not mind a lost segment as long as no device on the path insists on it, and none did.",
    ),
    "orderly-close": Plain(
        "The connection was closed in order",
        "Both ends agreed to close. Nothing was left open.",
    ),
    "healthy": Plain(
        "The connection is healthy",
        "As far as these captures show it, every byte that was asked for arrived.",
    ),
    "not-ctcp": Plain(
        "This is not IPsec over TCP",
        "What the connection carries is something else, so the failure of Cisco TAC 113578 does not apply to it.",
    ),
}

CONFIDENCE: Final = {
    "proven": "Captures from several places, or the word of the firewall itself, leave no other reading.",
    "strong": "Every step of the proof was seen. One more place could settle it for good.",
    "consistent": "Nothing contradicts it, and something is missing to be sure.",
    "undetermined": "It could be otherwise: these captures cannot decide it.",
}

MARKS: Final = {
    Mark.LOST: "lost: it did not arrive at the next place",
    Mark.DAMAGED: "came damaged: its TCP checksum is wrong, so whoever receives it throws it away",
    Mark.WANTED: "carries the byte that duplicate ACKs ask for",
    Mark.AGAIN: "retransmission: these bytes were sent before",
    Mark.FILLING: "fills bytes that this place had not seen",
    Mark.COPY: "copy of a datagram already seen",
    Mark.STRAY: "far outside the flow's sequence space",
    Mark.DUPLICATE_ACK: "duplicate ACK",
    Mark.DSACK: "D-SACK: reports bytes that arrived twice",
    Mark.KEEP_ALIVE: "keep-alive",
    Mark.ZERO_WINDOW: "zero window: the receiver has no room",
}
"""What each mark says of a segment; SYN, FIN and RST name the segment itself."""

NEEDS_CAPTURES: Final = (
    "The diagram is drawn from the captures. This page was made without them: from a stored report, or because "
    "none of them could be read a second time. Made from the captures, with --report, the page has it."
)

NOT_DRAWN: Final = (
    "There is no diagram of this flow: "
    "only the flows that matter most are drawn, and only as many as keep the page small."
)

GLOSSARY: Final = {
    "ACK": "An acknowledgment: everything below its number has arrived.",
    "answered, unanswered": "A later segment carries the wanted byte again, or none does.",
    "capture": "One file of recorded packets, with the place where it was taken.",
    "client, headend": "The end that opens the VPN, and the end that serves it.",
    "clock offset": "What one capture's clock shows less what another's shows: an interval, since no more is known.",
    "confidence": "How much a verdict can bear: proven, strong, consistent or undetermined.",
    "crossing": "What became of the segments of one direction between two neighbouring places.",
    "cTCP": "Cisco's IPsec over TCP: IPsec packets behind a TCP header. It never sends anything again.",
    "duplicate ACK": "An ACK that repeats the last one because bytes are missing (RFC 5681): a request to send again.",
    "flow": "One TCP connection.",
    "frame": "One recorded packet, counted from 1. The numbers can be typed into Wireshark.",
    "hole": "Bytes that the receiver lacks, below data that it already has.",
    "lost": "A segment that passed one place and not the next, whose capture is known to have missed nothing.",
    "not captured": "A segment that passed a place and is not in its capture. It was not lost.",
    "path, place": "Captures that share connections, in order from client to headend; one vantage point among them.",
    "retransmission": "The same bytes sent again by their sender.",
    "RST": "A message that ends a TCP connection at once.",
    "SACK block": "Bytes that the receiver has beyond a hole (RFC 2018).",
    "segment": "The unit of TCP.",
    "withheld": "Segments behind a hole that a device on the path holds back. They are not counted as lost.",
}


def plainly(verdict: str, confidence: str, title: str, means: str) -> Plain:
    """A verdict that this version does not know is told in the report's own words."""
    plain = VERDICTS.get(verdict)
    if plain is None:
        return Plain(title, means)
    return plain._replace(heading=_as_sure(plain.heading, confidence))


def _as_sure(heading: str, confidence: str) -> str:
    """What is read first, and often alone, says no more than its confidence bears."""
    return f"It looks as if {heading[0].lower()}{heading[1:]}" if confidence == "consistent" else heading
