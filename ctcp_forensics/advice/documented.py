"""The fixes that TAC 113578 gives for the unanswered duplicate ACK, and one that follows from its cause.

Knows the documents.  Does not know when to offer what: see offers.  What the sources leave open,
or what stands in none of those that were read, is said in the text.
"""

from __future__ import annotations

from msgspec.structs import replace

from ctcp_forensics.advice.conditions import (
    BOX_BETWEEN,
    CLEARED_BOX,
    EVERY_CONNECTION,
    GLOBAL_POLICY,
    IPV6_SYNTAX,
    NOT_SAVED,
    PROVEN_BOX,
    REAL_ADDRESSES,
    TRAILER_NOT_SEEN,
    TRANSLATED_CLIENT,
    UNKNOWN_BOX,
)
from ctcp_forensics.advice.step import Step

TAC_113578 = 'Cisco TAC 113578, "IPsec over TCP fails when traffic flows through ASA"'

WHY_NOT_QUEUE_LIMIT = (
    "`queue-limit` is no fix and is not offered: a longer queue waits longer for a segment that never "
    "comes. A queue-limit added to a class that had none makes the ASA hold back all out-of-order TCP of "
    "that class, which creates this very failure."
)

_IN_THE_PROFILE = "! on the client: profile file (.pcf), section [main]"
_IN_THE_LIST = "! on the firewall in the path, only where it does not permit this yet"
_ORDER_IN_THE_LIST = (
    "ACL-TOWARDS-HEADEND stands for the access list that permits tcp/{port} from this client today. A line "
    "added at its end does nothing after a line that denies: give it a place with `line N`."
)
_LOCKED_KEYS = (
    "A key written with a leading exclamation mark in the profile is locked: the user cannot change it."
)

IPSEC_OVER_UDP = Step(
    fix="ipsec-over-udp",
    title="Move the client from IPsec over TCP to IPsec over UDP",
    change="Set the transport of the client's connection entry to IPsec over UDP. Loss then stays harmless: "
    "no device on the path waits for a UDP datagram to be sent again. The client's side is enough, as long "
    "as the headend accepts UDP encapsulation and the path permits it.",
    commands=(
        _IN_THE_PROFILE,
        "EnableNat=1",
        "TunnelingMode=0",
        _IN_THE_LIST,
        "configure terminal",
        "access-list <ACL-TOWARDS-HEADEND> extended permit udp host {client} host {headend} eq 500",
        "access-list <ACL-TOWARDS-HEADEND> extended permit udp host {client} host {headend} eq 4500",
        "end",
    ),
    cost="Some networks let TCP through and block UDP; often that is why TCP was chosen. Every client's "
    "profile has to change.",
    verify=(
        "A new capture at the client shows UDP 500 and then UDP 4500 (or the UDP port of the group policy) "
        "to {headend}, and nothing on TCP {port}.",
        "The session lives through loss: ESP sequence numbers are missing in the new capture and traffic "
        "goes on both ways.",
        "`show vpn-sessiondb` on the headend no longer names IPsecOverTCP for this user (wording not "
        "confirmed by the sources read).",
    ),
    roll_back=(
        _IN_THE_LIST.replace("only where it does not permit this yet", "if the lines were added"),
        "configure terminal",
        "no access-list <ACL-TOWARDS-HEADEND> extended permit udp host {client} host {headend} eq 4500",
        "no access-list <ACL-TOWARDS-HEADEND> extended permit udp host {client} host {headend} eq 500",
        "end",
        _IN_THE_PROFILE,
        "TunnelingMode=1",
        "EnableNat=1",
    ),
    source=f"{TAC_113578}, Solution, first item; profile keys: Cisco VPN Client administrator guide",
    caveats=(
        "The headend must accept it: NAT traversal (`crypto isakmp nat-traversal 20`, not confirmed by the "
        "sources read), or `ipsec-udp enable` and `ipsec-udp-port` in the group policy. Permit that UDP port "
        "instead of 4500 in the second case.",
        "`TcpTunnelingPort={port}` may stay in the profile: it stands there even where TunnelingMode is 0, "
        "and then means nothing.",
        _LOCKED_KEYS,
        "Closing the headend's TCP port (`no crypto ikev1 ipsec-over-tcp port {port}`; up to 8.3 `no isakmp "
        "ipsec-over-tcp port {port}`; on IOS `no crypto ctcp port {port}`) cuts off every client that still "
        "uses TCP. It is no part of this change. While it is open, clients with old profiles keep using TCP.",
        _ORDER_IN_THE_LIST,
        NOT_SAVED,
        TRAILER_NOT_SEEN,
        TRANSLATED_CLIENT,
        IPV6_SYNTAX,
    ),
)

NATIVE_ESP = Step(
    fix="native-esp",
    title="Move the client to native ESP, without any encapsulation",
    change="Switch transparent tunnelling off in the client's connection entry: IKE goes over UDP 500 and "
    "the data as ESP (IP protocol 50). Only for a path without port address translation.",
    commands=(
        _IN_THE_PROFILE,
        "EnableNat=0",
        _IN_THE_LIST,
        "configure terminal",
        "access-list <ACL-TOWARDS-HEADEND> extended permit udp host {client} host {headend} eq 500",
        "access-list <ACL-TOWARDS-HEADEND> extended permit esp host {client} host {headend}",
        "access-list <ACL-TOWARDS-CLIENT> extended permit esp host {headend} host {client}",
        "end",
    ),
    cost="ESP has no ports: behind port address translation several clients cannot be told apart, and many "
    "networks block protocol 50 altogether.",
    verify=(
        "A new capture at the client shows UDP 500 and IP protocol 50 with {headend}, and nothing on TCP "
        "{port}.",
        "Both ESP SPIs, one for each direction, are seen at both ends.",
    ),
    roll_back=(
        _IN_THE_LIST.replace("only where it does not permit this yet", "if the lines were added"),
        "configure terminal",
        "no access-list <ACL-TOWARDS-CLIENT> extended permit esp host {headend} host {client}",
        "no access-list <ACL-TOWARDS-HEADEND> extended permit esp host {client} host {headend}",
        "no access-list <ACL-TOWARDS-HEADEND> extended permit udp host {client} host {headend} eq 500",
        "end",
        _IN_THE_PROFILE,
        "EnableNat=1",
    ),
    source=f"{TAC_113578}, Solution, first item; profile keys: Cisco VPN Client administrator guide",
    caveats=(
        "Through port address translation on an ASA, native ESP needs `inspect ipsec-pass-thru`, and without "
        "that inspection both directions have to be permitted (not confirmed by the sources read).",
        _LOCKED_KEYS,
        _ORDER_IN_THE_LIST,
        NOT_SAVED,
        TRAILER_NOT_SEEN,
        TRANSLATED_CLIENT,
        IPV6_SYNTAX,
    ),
)

ANYCONNECT = Step(
    fix="anyconnect",
    title="Replace the client by AnyConnect (Secure Client)",
    change="Move the users to AnyConnect, whose TCP is a complete one: it sends again what a duplicate ACK "
    "asks for, so a proxying firewall does it no harm. This is the lasting answer.",
    cost="Licences, a roll-out to every user and work on the headend.",
    verify=(
        "`show vpn-sessiondb anyconnect` on the headend lists the user.",
        "A new capture at the client shows TLS or DTLS (or IKEv2) with {headend}, and nothing on TCP {port}.",
    ),
    roll_back=(
        "Keep the old client, its profile and its group on the headend until the last user has moved.",
    ),
    source=f"{TAC_113578}, Solution, second item",
    caveats=(
        "The old Cisco VPN Client is past its end of life, and IKEv1 over TCP is described in the guides for "
        "9.1 and 9.2: check that the release in use still has it (not confirmed by the sources read).",
        TRAILER_NOT_SEEN,
    ),
)

TCP_STATE_BYPASS = Step(
    fix="tcp-state-bypass",
    title="Stopgap: let the firewall pass these connections without tracking them (tcp-state-bypass)",
    change="On the firewall that waits for the lost segment, if it is an ASA, bypass TCP state for exactly "
    "{client} to {headend} port {port}. It then neither orders nor acknowledges anything for these "
    "connections, and loss is harmless again. Meant to last until one of the other fixes is in place.",
    commands=(
        "! on the ASA in the path, release 8.2(1) or later",
        "configure terminal",
        "access-list {name} extended permit tcp host {client} host {headend} eq {port}",
        "access-list {name} extended permit tcp host {headend} eq {port} host {client}",
        "class-map {name}",
        " match access-list {name}",
        "policy-map global_policy",
        " class {name}",
        "  set connection advanced-options tcp-state-bypass",
        "  set connection timeout idle 1:00:00",
        "end",
        "clear conn address {client}",
    ),
    cost="Practically all security checks are off for what the access list matches: no application "
    "inspection, no TCP normaliser, no IPS or other service module, no TCP Intercept and embryonic limit, "
    "no sequence-number randomisation, no sequence check; a segment that is no SYN may open a connection. "
    "Hence two exact hosts and one port, and never a network.",
    verify=(
        "`show conn address {client}`: the new connection has flag b.",
        "Syslog 302303 (Built TCP state-bypass connection) names {client} and {headend}.",
        "`show service-policy flow tcp host {client} host {headend} eq {port}` lists class {name} (the "
        "command is not confirmed by the sources read).",
        "`show asp drop`: tcp-buffer-full, tcp-buffer-timeout, tcp-dup-in-queue and tcp-seq-past-win stop "
        "rising. The counters are the whole box's, so this supports and does not prove.",
        "New captures on both sides of the ASA: the initial sequence numbers are the same on both, and "
        "after a loss no pure ACK asks for the missing byte.",
    ),
    roll_back=(
        "configure terminal",
        "policy-map global_policy",
        " class {name}",
        "  no set connection timeout idle 1:00:00",
        "  no set connection advanced-options tcp-state-bypass",
        " no class {name}",
        "class-map {name}",
        " no match access-list {name}",
        "no class-map {name}",
        "no access-list {name} extended permit tcp host {headend} eq {port} host {client}",
        "no access-list {name} extended permit tcp host {client} host {headend} eq {port}",
        "end",
        "clear conn address {client}",
    ),
    source=f"{TAC_113578}, Solution, third item; TAC 111986 (8.2 and later) and TAC 118995 (9.x)",
    caveats=(
        "It does nothing for IPsec over TCP that ends on that same ASA: it is for an ASA on the way.",
        "It acts on new connections only. That existing ones keep the old policy until they are cleared is "
        "not confirmed by the sources read; `clear conn` makes sure.",
        EVERY_CONNECTION,
        "If `show conn` shows flag b already, this firewall is not the one that waits: look for another.",
        "The sources contradict one another on failover: the 8.x guides and TAC 118995 say that it is "
        "supported, a later firewall guide lists stateful failover as unsupported.",
        "Which idle timeout a bypassed connection gets by itself is documented for the FWSM (2 minutes) and "
        "not for the ASA; so it is set here, to the usual hour. Releases before 8.4 may spell it `set "
        "connection timeout tcp` (not confirmed by the sources read).",
        "Where two ASAs share the load, translation of these hosts has to be static.",
        GLOBAL_POLICY,
        REAL_ADDRESSES,
        NOT_SAVED,
        CLEARED_BOX,
        UNKNOWN_BOX,
        BOX_BETWEEN,
        PROVEN_BOX,
        TRAILER_NOT_SEEN,
        TRANSLATED_CLIENT,
        IPV6_SYNTAX,
    ),
)

EXCLUDE_FROM_INSPECTION = Step(
    fix="exclude-from-inspection",
    title="Keep the firewall, but take these connections out of IPS and inspection",
    change="Find the class whose IPS, inspection or TCP map makes the ASA put this flow into order, and "
    "exclude exactly this flow from it. The ASA goes on tracking the connection, without holding anything "
    "back.",
    commands=(
        "! on the ASA in the path: which class touches this flow?",
        "show service-policy flow tcp host {client} host {headend} eq {port}",
        "! ACL-OF-THAT-CLASS stands for the access list that the class matches",
        "configure terminal",
        "access-list <ACL-OF-THAT-CLASS> line 1 extended deny tcp host {client} host {headend} eq {port}",
        "access-list <ACL-OF-THAT-CLASS> line 2 extended deny tcp host {headend} eq {port} host {client}",
        "end",
        "clear conn address {client}",
    ),
    cost="IPS or inspection no longer sees these connections. What it could see of them was ESP, which it "
    "cannot read.",
    verify=(
        "`show service-policy flow tcp host {client} host {headend} eq {port}` no longer lists the class.",
        "`show conn address {client}`: the new connection has neither flag N (inspected by Snort) nor X "
        "(inspected by a service module).",
        "A new capture towards the client: after a loss no pure ACK asks for the missing byte.",
    ),
    roll_back=(
        "configure terminal",
        "no access-list <ACL-OF-THAT-CLASS> extended deny tcp host {headend} eq {port} host {client}",
        "no access-list <ACL-OF-THAT-CLASS> extended deny tcp host {client} host {headend} eq {port}",
        "end",
        "clear conn address {client}",
    ),
    source="Not one of the fixes of TAC 113578: it follows from the ASA configuration guides, by which only "
    "inspection, IPS, check-retransmission and queue-limit put TCP into order. Not confirmed for this "
    "failure.",
    caveats=(
        "`show service-policy flow` is not confirmed by the sources read; `show service-policy` and `show "
        "running-config policy-map` answer the same question by hand.",
        "A class that matches everything has no access list to exclude from: it needs one first.",
        "Where the class has a TCP map with check-retransmission or a queue-limit, that is what holds "
        "packets back: take the map out of the class.",
        WHY_NOT_QUEUE_LIMIT,
        "An IPS in promiscuous mode gets copies only. Whether the ASA puts the stream into order for it all "
        "the same is unknown: excluding is safer. For FirePOWER (`sfr fail-open monitor-only`) and FTD "
        "(prefilter rule with fastpath) the like is not confirmed by the sources read.",
        "It acts on new connections only (not confirmed by the sources read); `clear conn` makes sure.",
        EVERY_CONNECTION,
        REAL_ADDRESSES,
        NOT_SAVED,
        CLEARED_BOX,
        UNKNOWN_BOX,
        BOX_BETWEEN,
        PROVEN_BOX,
        TRANSLATED_CLIENT,
        IPV6_SYNTAX,
    ),
)

REPAIR_LOSS = Step(
    fix="repair-loss",
    title="Find where packets are lost, and repair it",
    change="Locate the loss {way} by capturing at two places at once: what left the one and did not reach "
    "the other was lost between them. Move the places together until one link is left. The only fix that "
    "helps all other traffic too.",
    commands=(
        "! on the client: does loss depend on the size?",
        "{ping} 500 -n 100 {headend}",
        "{ping} 1300 -n 100 {headend}",
        "! on the firewall and on the headend: errors, drops, duplex",
        "show interface",
    ),
    cost="Often impossible or extremely difficult, as the document itself says: the loss is commonly on the "
    "Internet, where it cannot be prevented.",
    verify=(
        "Two captures of the same minutes: every message (SPI and ESP sequence number) that left one place "
        "is seen at the other.",
        "`show interface`: the error counters no longer rise.",
    ),
    roll_back=("Nothing was changed by looking; what was repaired is taken back as it was done.",),
    source=f"{TAC_113578}, Solution, fourth item; interface errors and duplex: Cisco's note on troubleshooting ASA "
    "throughput (by its title and sections TAC 113393; the number is inferred)",
    caveats=(
        "A capture loses packets too. Check its own drop counters before the network is blamed.",
        "`ping` counts only where ICMP is permitted, and may be limited in rate.",
    ),
)

REPAIR_LOCATED_LOSS = replace(
    REPAIR_LOSS,
    title="Repair the loss {loss_place}",
    change="The captures locate the loss: {loss_place}, on the way {way}. Look at the links and devices there "
    "first; a further capture in the middle of that stretch halves it. The only fix that helps all other traffic "
    "too.",
)
