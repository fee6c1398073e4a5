"""Sites: which flows of two reports are of the same users and the same headend.

Knows networks.  Ports change with every connection and addresses with every lease, so neither is compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from ctcp_forensics.brief import Line, lines_of
from ctcp_forensics.report import FLAGSHIP, NEEDS_NO_READING, WELL, Flow, Report

PREFIX_LEN = {4: 24, 6: 64}
"""What one provider or office hands out addresses from, as a rule."""
CTCP = "cisco-ctcp"
NOT_CTCP = "not-ctcp"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Site:
    """The networks of clients and of their headend."""

    clients: str
    headend: str


def site_of(flow: Flow | Line) -> Site:
    return Site(clients=network_of(flow.client.address), headend=network_of(flow.headend.address))


def network_of(address: str) -> str:
    """A report may come from anywhere: what is no address stands for itself."""
    try:
        read = ip_address(address)
        return str(ip_network(f"{address}/{PREFIX_LEN[read.version]}", strict=False))
    except ValueError:
        return address


def failed_sites(report: Report) -> dict[Site, list[Flow]]:
    """Where connections died of unanswered duplicate ACKs, with every VPN connection there."""
    failed = {site_of(flow) for flow in report.flows if flow.verdict == FLAGSHIP}
    ports = ports_of(report)
    return {site: flows_of(report, site, ports) for site in sorted(failed)}


def ports_of(report: Report) -> frozenset[int]:
    """Ports of headends on which the failure was seen."""
    return frozenset(flow.headend.port for flow in report.flows if flow.verdict == FLAGSHIP)


def unwell_in_brief(report: Report, ports: frozenset[int]) -> Counter[Site]:
    """Flows on these ports of which a line says that they were not well, and not what they carried."""
    return Counter(
        site_of(line)
        for line in lines_of(report)
        if line.headend.port in ports and line.verdict not in WELL | NEEDS_NO_READING
    )


def unwell_without_line(report: Report) -> int:
    """Flows that were not well and are only counted: they may have been at any site."""
    counted = (told for brief in report.brief for told in brief.counted)
    return sum(told.flows for told in counted if told.verdict not in WELL | NEEDS_NO_READING)


def flows_of(report: Report, site: Site, ports: frozenset[int]) -> list[Flow]:
    """The VPN's connections of a site."""
    return [flow for flow in report.flows if site_of(flow) == site and is_vpn(flow, ports)]


def is_vpn(flow: Flow, ports: frozenset[int]) -> bool:
    """By content; by the port where nothing was carried that would tell."""
    if flow.verdict == NOT_CTCP:
        return False
    both = (flow.directions.client_to_headend, flow.directions.headend_to_client)
    is_empty = not any(one.payload_bytes for one in both)
    return (
        flow.verdict == FLAGSHIP
        or flow.encapsulation.kind == CTCP
        or (is_empty and flow.headend.port in ports)
    )
