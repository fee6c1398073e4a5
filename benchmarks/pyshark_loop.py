"""The obvious pyshark program: count frames, TCP segments and flows of one capture.  A peer of ours."""

import json
import sys

import pyshark


def count(path: str) -> dict[str, int]:
    frames = segments = 0
    flows = set()
    with pyshark.FileCapture(path, keep_packets=False) as capture:
        for packet in capture:
            frames += 1
            if "TCP" in packet:
                segments += 1
                flows.add(packet.tcp.stream)
    return {"frames": frames, "tcp_segments": segments, "flows": len(flows)}


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1])))
