"""The obvious dpkt program: count frames, TCP segments and flows of one pcap file.  A peer of ours."""

import json
import sys

import dpkt


def count(path: str) -> dict[str, int]:
    frames = segments = 0
    flows = set()
    with open(path, "rb") as capture:
        for _, frame in dpkt.pcap.Reader(capture):
            frames += 1
            ip = dpkt.ethernet.Ethernet(frame).data
            if isinstance(ip, dpkt.ip.IP) and isinstance(ip.data, dpkt.tcp.TCP):
                segments += 1
                ends = ((ip.src, ip.data.sport), (ip.dst, ip.data.dport))
                flows.add((min(ends), max(ends)))
    return {"frames": frames, "tcp_segments": segments, "flows": len(flows)}


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1])))
