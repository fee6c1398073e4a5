"""Captures that would settle what is open: which, how, and how to read what there is.

Knows the `capture` command of an ASA and what a capture has to hold.  Does not know when to offer what: see offers.
"""

from __future__ import annotations

from msgspec.structs import replace

from ctcp_forensics.advice.conditions import TRANSLATED_CLIENT
from ctcp_forensics.advice.step import Step
from ctcp_forensics.advice.words import GUIDES, LOOKS_ONLY, NOTHING_CHANGED, ON_THE_FIREWALL, PRACTICE

# The largest buffer that `capture` takes, and circular: the default (512 KB, stops when full) holds about 340
# full packets and has usually ended long before the failure.  1522 is a full Ethernet frame with a VLAN tag.
CAPTURE_SIZE = "packet-length 1522 buffer 33554432 circular-buffer"
_OUT = (
    f"capture CTCP_DIAG_OUT type raw-data interface <IF-TOWARDS-CLIENT> {CAPTURE_SIZE} "
    "match tcp host {client} host {headend} eq {port}"
)
_IN = (
    f"capture CTCP_DIAG_IN type raw-data interface <IF-TOWARDS-HEADEND> {CAPTURE_SIZE} "
    "match tcp host {client} host {headend} eq {port}"
)
_DROP = f"capture CTCP_DIAG_DROP type asp-drop all {CAPTURE_SIZE} match tcp host {{client}} host {{headend}}"
_ON_THE_CLIENT = (
    "! on the client, at the same time: Wireshark or tcpdump on the physical adapter, whole packets, filter",
    "! host {headend} and tcp port {port}",
)
_SAME_FAILURE = (
    "It has to be one failure: give all captures of the same minutes to one run of ctcp-diag; captures of "
    "different failures share no connection."
)


def _captures(*lines: str) -> tuple[str, ...]:
    """The commands that start captures on the firewall, and copy them when it has failed again."""
    names = [line.split()[1] for line in lines]
    return (
        f"{ON_THE_FIREWALL}; IF-TOWARDS-CLIENT and IF-TOWARDS-HEADEND stand for its interfaces",
        *lines,
        "show asp drop",
        "show service-policy flow tcp host {client} host {headend} eq {port}",
        "! after the failure",
        "show conn address {client}",
        "show asp drop",
        "show capture",
        *(f"copy /pcap capture:{name} disk0:{name}.pcap" for name in names),
    )


def _captures_ended(*lines: str) -> tuple[str, ...]:
    names = [line.split()[1] for line in reversed(lines)]
    return (
        *(f"delete /noconfirm disk0:{name}.pcap" for name in names),
        *(f"no capture {name}" for name in names),
    )


TAKE_CAPTURES = Step(
    fix="take-captures",
    title="Capture on both sides of the firewall, until it fails again",
    change="Capture this flow at the client and, at the same time, on both sides of the firewall, from "
    "before the client connects until at least 10 seconds after the failure. Then give all files to one run "
    "of ctcp-diag.",
    commands=(*_captures(_OUT, _IN, _DROP), *_ON_THE_CLIENT),
    cost="The firewall sets aside 32 MB of memory for each capture and works a little more. The files hold "
    "the user's traffic: ESP is encrypted, addresses are not.",
    verify=(
        "`show capture` lists all three as capturing; CTCP_DIAG_OUT and CTCP_DIAG_IN grow while the client "
        "works.",
        "The first frames hold the SYN, and the last ones lie at least 10 seconds after the failure.",
    ),
    roll_back=_captures_ended(_OUT, _IN, _DROP),
    source=GUIDES,
    caveats=(
        "Never with `headers-only` and never with a shorter packet-length: the cTCP trailer is the end of "
        "each packet.",
        "A circular buffer overwrites its oldest packets: copy it soon after the failure.",
        "Counters of `show asp drop` are the whole firewall's: note them before and after. Only a packet in "
        "the asp-drop capture proves a drop of this flow.",
        "`show service-policy flow` and `delete /noconfirm` are not confirmed by the sources read. In "
        "multiple-context mode, `copy /pcap` works from the system context only.",
        "Where the firewall translates addresses, each interface sees others: give each capture those of "
        "its side.",
        TRANSLATED_CLIENT,
    ),
)

CAPTURE_TOWARDS_HEADEND = replace(
    TAKE_CAPTURES,
    title="Capture on the headend's side of the firewall too, when it fails again",
    change="What is missing is the other side of the firewall. Capture this flow there, at the same time as at "
    "the place where it was captured this time, until at least 10 seconds after the failure. Then give all files "
    "to one run of ctcp-diag.",
    commands=_captures(_IN, _DROP),
    verify=(
        "`show capture` lists both as capturing; CTCP_DIAG_IN grows while the client works.",
        TAKE_CAPTURES.verify[1],
    ),
    roll_back=_captures_ended(_IN, _DROP),
    caveats=(_SAME_FAILURE, *TAKE_CAPTURES.caveats),
)

CAPTURE_TOWARDS_CLIENT = replace(
    CAPTURE_TOWARDS_HEADEND,
    title="Capture on the client's side of the firewall too, when it fails again",
    commands=_captures(_OUT, _DROP),
    verify=(
        "`show capture` lists both as capturing; CTCP_DIAG_OUT grows while the client works.",
        TAKE_CAPTURES.verify[1],
    ),
    roll_back=_captures_ended(_OUT, _DROP),
)

SPLIT_THE_CAPTURE = Step(
    fix="split-the-capture",
    title="Give each place's capture by itself",
    change="This capture shows the connection at two places at once, and each hides what the other shows. Give the "
    "captures as they were taken, all of them to one run of ctcp-diag. Where only the merged file is left, make one "
    "file of each place again, by what tells the places apart: the TTL of each end's packets, or the MAC addresses.",
    commands=(
        "! where the captures are: each by itself, all of them in one run",
        "ctcp-diag analyze --client CLIENT.pcap --asa-outside OUTSIDE.pcap",
        "! only the merged file is left: which TTLs does each end have in it?",
        "tshark -r MERGED.pcap -Y '{ip}.addr == {client} && {ip}.addr == {headend}' -T fields -e {ip}.src -e {ttl} | "
        "sort | uniq -c",
        "! then, for each place with its two TTLs",
        "tshark -r MERGED.pcap -w PLACE.pcap -Y '{ip}.src == {client} && {ttl} == TTL || {ip}.src == {headend} && "
        "{ttl} == TTL'",
    ),
    cost=LOOKS_ONLY,
    verify=("`ctcp-diag analyze` of each file by itself no longer says that segments are here twice.",),
    roll_back=NOTHING_CHANGED,
    source=PRACTICE,
    caveats=(
        "A mirror port that doubles frames looks the same where the copy comes late: there mirror one direction "
        "alone, or one interface, and capture again.",
    ),
)

SORT_THE_CAPTURE = Step(
    fix="sort-the-capture",
    title="Put the frames in the order of their times",
    change="The frames do not stand in the order of their times: in no order at all, or the two directions of this "
    "connection one behind the other, as when two captures, one for each direction, are put end to end. What was said "
    "in answer to what is hidden by that. Sort the frames, then give the sorted file to ctcp-diag.",
    commands=(
        "! where the captures are",
        "reordercap UNSORTED.pcap SORTED.pcap",
        "! or, from the two captures: mergecap sorts by time, unless -a is given",
        "mergecap -w SORTED.pcap ONE-DIRECTION.pcap OTHER-DIRECTION.pcap",
    ),
    cost=LOOKS_ONLY,
    verify=(
        "`ctcp-diag analyze SORTED.pcap` says no more that its frames or its directions are out of order.",
    ),
    roll_back=NOTHING_CHANGED,
    source=PRACTICE,
    caveats=(
        "It helps where both directions were captured by one clock: the two ports of one tap, for example.",
    ),
)

NAME_THE_DROP = Step(
    fix="name-the-drop",
    title="Ask the firewall why it drops these packets",
    change="Packets enter the firewall and do not leave it. The reason stands beside each packet in an "
    "asp-drop capture; the rule behind that reason is what has to change.",
    commands=(
        ON_THE_FIREWALL,
        f"capture CTCP_DIAG_DROP type asp-drop all {CAPTURE_SIZE} match tcp host {{client}} host {{headend}}",
        "show asp drop",
        "! after the failure",
        "show capture CTCP_DIAG_DROP",
        "show asp drop",
        "show logging | include {client}",
    ),
    cost="The firewall sets aside 32 MB of memory for the capture.",
    verify=(
        "The asp-drop capture shows packets of this flow, each with its reason: acl-drop, ips-request, "
        "shunned, …",
    ),
    roll_back=("no capture CTCP_DIAG_DROP",),
    source=GUIDES,
    caveats=("The counters of `show asp drop` are the whole firewall's and prove nothing about one flow.",),
)
