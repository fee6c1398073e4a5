"""What to do next where the verdict is not the unanswered duplicate ACK.

Knows one step for each way a flow can die.  Nothing here stands in TAC 113578, and the text says so by
its source.  Does not know when to offer what: see offers; nor how to capture once more: see capturing.
"""

from __future__ import annotations

from ctcp_forensics.advice.conditions import (
    EVERY_CONNECTION,
    GLOBAL_POLICY,
    IPV6_SYNTAX,
    NOT_SAVED,
    REAL_ADDRESSES,
    TRANSLATED_CLIENT,
    is_open,
    may_be_ctcp,
)
from ctcp_forensics.advice.step import Caveat, Step
from ctcp_forensics.advice.words import (
    GUIDES,
    LOOKS_ONLY,
    NOT_CONFIRMED,
    NOTHING_CHANGED,
    ON_THE_FIREWALL,
    PRACTICE,
)

FIND_THE_PROXY = Step(
    fix="find-the-proxy",
    title="Find the device that asks: it is not the firewall that was captured at",
    change="The duplicate ACKs pass through this firewall; they are made {beyond}. Look there for the next device "
    "that follows TCP connections (a second firewall, an IPS, a WAN accelerator), and capture on both of its sides.",
    commands=(
        "! on the firewall that was captured at: it holds nothing back, so its counters stay",
        "show asp drop",
        "traceroute {headend}",
        "traceroute {client}",
    ),
    cost=LOOKS_ONLY,
    verify=(
        "Captures on both sides of that device, of one failure: the duplicate ACKs are on one side alone.",
    ),
    roll_back=NOTHING_CHANGED,
    source=f"{PRACTICE}; `traceroute` of the ASA {NOT_CONFIRMED}",
)

SEND_CTCP_KEEP_ALIVES = Step(
    fix="keep-alive",
    title="Send keep-alives more often than the shortest idle timeout on the path",
    change="Let the client keep the connection in use, so that no device on the path forgets it.",
    commands=("! on the client: profile file (.pcf), section [main]", "ForceKeepAlives=1"),
    cost="A few packets a minute for each client.",
    verify=("A new capture at the client shows packets in the idle time, and traffic passes after it.",),
    roll_back=("! on the client: profile file (.pcf), section [main]", "ForceKeepAlives=0"),
    source="Cisco VPN Client administrator guide (key of the profile); no fix of TAC 113578",
    caveats=(
        "How often the client then sends, and in which form, is not documented in the sources read.",
        "A headend on IOS keeps connections alive by itself, every 5 seconds by default (`crypto ctcp "
        "keepalive`).",
    ),
)

SEND_KEEP_ALIVES = Step(
    fix="keep-alive",
    title="Send keep-alives more often than the shortest idle timeout on the path",
    change="Switch on TCP or application keep-alives at {client} or {headend}, so that no device on the path "
    "forgets the connection.",
    cost="A few packets a minute for each connection.",
    verify=("A new capture shows keep-alives in the idle time, and traffic passes after it.",),
    roll_back=("Switch them off where they were switched on.",),
    source=PRACTICE,
    caveats=(
        "Operating systems wait two hours by default before the first TCP keep-alive (RFC 9293 §3.8.4).",
    ),
)

LONGER_IDLE_TIMEOUT = Step(
    fix="longer-idle-timeout",
    title="Give this flow a longer idle timeout on the firewall",
    change="On the device that forgets the connection, raise the idle timeout for exactly this flow. The "
    "commands are for an ASA, whose default is one hour.",
    commands=(
        ON_THE_FIREWALL,
        "configure terminal",
        "access-list {name} extended permit tcp host {client} host {headend} eq {port}",
        "class-map {name}",
        " match access-list {name}",
        "policy-map global_policy",
        " class {name}",
        "  set connection timeout idle 8:00:00",
        "end",
        "clear conn address {client}",
    ),
    cost="Connections whose ends have vanished stay in the table for as long.",
    verify=(
        "`show conn address {client} detail`: the connection's timeout is eight hours.",
        "Traffic passes after a silence as long as the one that ended this flow.",
    ),
    roll_back=(
        "configure terminal",
        "policy-map global_policy",
        " class {name}",
        "  no set connection timeout idle 8:00:00",
        " no class {name}",
        "class-map {name}",
        " no match access-list {name}",
        "no class-map {name}",
        "no access-list {name} extended permit tcp host {client} host {headend} eq {port}",
        "end",
        "clear conn address {client}",
    ),
    source=GUIDES,
    caveats=(
        "The capture does not show which device forgot the connection: `show running-config timeout` on each "
        "tells. Address translation has timeouts of its own.",
        "Releases before 8.4 may spell it `set connection timeout tcp` (not confirmed by the sources read).",
        EVERY_CONNECTION,
        GLOBAL_POLICY,
        REAL_ADDRESSES,
        NOT_SAVED,
        TRANSLATED_CLIENT,
        IPV6_SYNTAX,
    ),
)

FIND_THE_RESETTER = Step(
    fix="find-the-resetter",
    title="Find the device that sends the RST",
    change="The RST does not look as if the end whose address it bears had sent it. Look for it in the logs of "
    "every firewall, IPS and load balancer on the path at that moment, then for the rule that made it.",
    commands=(
        ON_THE_FIREWALL,
        "show logging | include {client}",
        "show conn address {client}",
        "show running-config timeout",
    ),
    cost=LOOKS_ONLY,
    verify=(
        "Syslog 302014 for {client} and {headend} port {port} gives the reason: TCP Reset-APPLIANCE (the "
        "ASA itself), Flow reset by IPS, Flow closed by inspection, Idle Timeout.",
        "A second capture beyond the suspect: the RST is on one side of it only, or leaves it on both sides.",
    ),
    roll_back=NOTHING_CHANGED,
    source=f"{GUIDES}; `show logging` {NOT_CONFIRMED}",
    caveats=(
        "A device that is not an ASA logs it elsewhere and otherwise.",
        Caveat(
            text="An end that came up anew, or whose tunnel and whose TCP are two programs, may send an RST with "
            "another TTL than its data: ask its log first.",
            when=is_open,
        ),
    ),
)

LOWER_THE_MTU = Step(
    fix="lower-mtu",
    title="Send smaller packets",
    change="Lower the MTU of the client's adapter (1300 is a common choice) if large packets are lost on "
    "their way to the headend; if they are lost on their way to the client, lower the MSS of TCP inside the "
    "tunnel at the headend. cTCP adds 36 bytes to ESP (a TCP header and its trailer).",
    commands=(
        "! on the client: what is the largest packet that passes? Lower the number until it answers",
        "{ping} 1400 {headend}",
        "! on the headend, if it is an ASA, for TCP inside the tunnel",
        "show running-config all sysopt",
        "configure terminal",
        "sysopt connection tcpmss 1200",
        "end",
    ),
    cost="A little more overhead for each packet. `sysopt connection tcpmss` acts on all TCP through that "
    "ASA.",
    verify=("A new capture: packets of the size that was lost no longer occur, and the flow lives.",),
    roll_back=(
        "! on the headend; the default, 1380, comes back. Where another value was set before, set that",
        "configure terminal",
        "no sysopt connection tcpmss 1200",
        "end",
        "! on the client: the MTU that the adapter had before",
    ),
    source=PRACTICE + "; `sysopt connection tcpmss` is not confirmed by the sources read",
    caveats=(
        "Cisco's client comes with a program of its own for the adapter's MTU (not confirmed by the sources "
        "read).",
        NOT_SAVED,
    ),
)

CLEAR_DF = Step(
    fix="clear-df",
    title="Let the headend fragment what is too large",
    change="On the headend, clear the Don't Fragment bit of the outer header, if the large packets are lost "
    "on their way to the client.",
    commands=(
        "! on the headend, if it is an ASA; IF-TOWARDS-CLIENT stands for its interface",
        "configure terminal",
        "crypto ipsec df-bit clear-df <IF-TOWARDS-CLIENT>",
        "end",
    ),
    cost="Fragments cost both ends work, and some networks drop them. It acts on all IPsec of that "
    "interface.",
    verify=(
        "A new capture at the headend: outer packets go without DF; at the client, their fragments arrive.",
    ),
    roll_back=(
        "! on the headend",
        "configure terminal",
        "no crypto ipsec df-bit clear-df <IF-TOWARDS-CLIENT>",
        "end",
    ),
    source=PRACTICE
    + "; the command, and that it reaches IPsec over TCP, are not confirmed by the sources read",
    caveats=(
        "Where the command stands there already with another value, take that back instead of the default.",
        NOT_SAVED,
    ),
)

ALLOW_ICMP_TOO_BIG = Step(
    fix="allow-icmp-too-big",
    title="Let the messages through that say a packet is too big",
    change="Permit ICMP unreachable (type 3, code 4: fragmentation needed; for IPv6, packet too big) "
    "towards both ends on every firewall between them, so that path MTU discovery works.",
    commands=(
        f"{ON_THE_FIREWALL}; the names stand for the access lists of its two sides",
        "configure terminal",
        "access-list <ACL-TOWARDS-HEADEND> extended permit {icmp} any host {headend} {too_big}",
        "access-list <ACL-TOWARDS-CLIENT> extended permit {icmp} any host {client} {too_big}",
        "end",
    ),
    cost="All ICMP unreachable messages to these two hosts pass, not the one that is meant alone (on IPv6: "
    "none but it).",
    verify=("A new capture shows these messages arriving, and smaller packets from then on.",),
    roll_back=(
        "configure terminal",
        "no access-list <ACL-TOWARDS-CLIENT> extended permit {icmp} any host {client} {too_big}",
        "no access-list <ACL-TOWARDS-HEADEND> extended permit {icmp} any host {headend} {too_big}",
        "end",
    ),
    source="RFC 1191 and RFC 8201 (path MTU discovery); no fix of TAC 113578",
    caveats=(
        f"The spelling of these lines {NOT_CONFIRMED}.",
        "Whether cTCP heeds these messages is unknown: the smaller MTU is the safer way.",
        NOT_SAVED,
    ),
)

FIND_THE_CLOSED_WINDOW = Step(
    fix="find-the-closed-window",
    title="Find out why the receiver holds its window shut",
    change="Look at the program that should be reading, on the end that announces the closed or shrunken "
    "window; then for a device on the path that announces it in that end's name.",
    commands=(ON_THE_FIREWALL, "show conn address {client}"),
    cost=LOOKS_ONLY,
    verify=("A second capture at the receiver: the same window leaves it, or another one.",),
    roll_back=NOTHING_CHANGED,
    source=PRACTICE,
    caveats=(
        "cTCP itself ignores windows: where its window changes, a proxy on the path is likely (inferred).",
    ),
)

OPEN_THE_PORT = Step(
    fix="open-the-port",
    title="Find out why {headend} port {port} cannot be reached",
    change="Check that the headend listens on TCP {port} and that every access list on the path permits it. "
    "On an ASA of 8.4 or later the headend's line is `crypto ikev1 ipsec-over-tcp port {port}` (up to 8.3 "
    "it begins with `isakmp`), on IOS `crypto ctcp port {port}`.",
    commands=(
        "! on the headend, if it is an ASA",
        "show running-config | include ipsec-over-tcp",
        f"{ON_THE_FIREWALL}; IF-TOWARDS-CLIENT stands for its interface",
        "packet-tracer input <IF-TOWARDS-CLIENT> tcp {client} {client_port} {headend} {port}",
        "show logging | include {client}",
    ),
    cost=LOOKS_ONLY,
    verify=("A new capture at the client shows the SYN, a SYN-ACK and the ACK.",),
    roll_back=NOTHING_CHANGED,
    source=f"{GUIDES}; `packet-tracer` {NOT_CONFIRMED}",
    caveats=(
        "A capture at the headend tells on which way the handshake is lost: there and back look alike from "
        "one side.",
        "A client that opens again from the same port with another initial number may be refused: syslog "
        "419002.",
    ),
)

CHECK_THE_NEGOTIATION = Step(
    fix="check-the-negotiation",
    title="Ask the headend why IKE did not complete",
    change="TCP came up and the IKE negotiation did not complete. Compare group name, pre-shared key or "
    "certificate, and proposals at both ends; then check whether the first, large IKE message arrives whole.",
    commands=(
        "! on the headend, if it is an ASA of 8.4 or later",
        "show crypto ikev1 sa",
        "show crypto ikev1 ipsec-over-tcp stats",
        "debug crypto ikev1 127",
        "undebug all",
    ),
    cost="Debugging loads the headend and shows everybody's negotiations: not in its busiest hour, and only "
    "briefly.",
    verify=("A new capture shows answers to the client's IKE messages, and ESP after them.",),
    roll_back=("undebug all",),
    source=f"{GUIDES}; `debug crypto ikev1` {NOT_CONFIRMED}",
    caveats=(
        "Up to 8.3 the commands have `isakmp` for `ikev1`. What the statistics count is not documented in "
        "the sources read.",
    ),
)

FIND_THE_PEER = Step(
    fix="find-the-peer",
    title="Find out whether the silent end still sends",
    change="Look at the end that fell silent: is it up, does it still have the session, does its traffic "
    "leave it?",
    commands=("! on the headend, if it is an ASA", "show vpn-sessiondb", "show logging | include {client}"),
    cost=LOOKS_ONLY,
    verify=(
        "A capture at the silent end: it sends and the path loses everything, or it sends nothing.",
        "The headend's log names the reason for which the session ended.",
    ),
    roll_back=NOTHING_CHANGED,
    source=PRACTICE,
    caveats=(
        "A client gives up after 90 seconds by default (`PeerTimeout` of its profile).",
        Caveat(
            text="The failure of TAC 113578 looks like this from behind it: nothing more comes from the end that is "
            "asked in vain, and the duplicate ACKs that ask do not come through. A capture between that end and the "
            "firewall shows them, if they are there.",
            when=may_be_ctcp,
        ),
    ),
)

REPAIR_THE_LINK = Step(
    fix="repair-the-link",
    title="Look for the link that went down",
    change="Everything in both directions stopped at once: look for an interface, a route or an access line "
    "that went down at that moment, beginning at the capturing machine itself.",
    commands=("! on the firewall and the headend", "show interface", "show logging"),
    cost=LOOKS_ONLY,
    verify=("The logs of the devices on the path name the moment at which this flow fell silent.",),
    roll_back=NOTHING_CHANGED,
    source=PRACTICE,
)

HOLD_THE_TRANSLATION = Step(
    fix="hold-the-translation",
    title="Keep the translation of this client's address in place",
    change="The client went on from another address or port without a new handshake: the translating device "
    "forgot it or the client moved. Reconnect; then raise that device's timeout, or give the client a "
    "static translation.",
    commands=(f"{ON_THE_FIREWALL} and translates", "show xlate", "show running-config timeout"),
    cost="A longer timeout holds ports that others may need.",
    verify=(
        "A new capture at the headend: address and port of the client stay the same over its longest "
        "silence.",
    ),
    roll_back=("Set the timeout of the translating device back to what it was.",),
    source=GUIDES,
    caveats=(
        "A client that changes networks, from cable to radio for example, has to connect again in any case.",
    ),
)

READ_THE_ENDPOINT_LOG = Step(
    fix="read-the-endpoint-log",
    title="Ask the end that sent the RST why it did",
    change="The log of that end (the client's own, or the headend's) names the reason at the moment of the "
    "RST.",
    commands=("! on the headend, if it is an ASA", "show logging | include {client}"),
    cost=LOOKS_ONLY,
    verify=("The log has an entry for {client} at that moment.",),
    roll_back=NOTHING_CHANGED,
    source=PRACTICE,
)

NOTHING_TO_REPAIR = Step(
    fix="nothing-to-repair",
    title="Nothing has to change",
    change="What is missing, lost {way} or by the capture alone, did not stop the flow: harmless, as long as no device "
    "on the path waits for lost TCP segments.",
    cost="None.",
    source='Cisco TAC 113578, "IPsec over TCP fails when traffic flows through ASA", Problem',
)
