# ruff: noqa: INP001 - a script beside the page that shows its picture
"""Draws docs/time-sequence.svg from samples/failure-client.pcap: what was sent, and what was acknowledged.

    python docs/time_sequence.py > docs/time-sequence.svg

Reads the capture with dpkt and knows nothing of ctcp-diag: the picture must not repeat a mistake of ours.
The same capture gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import dpkt

CAPTURE: Final = Path(__file__).resolve().parents[1] / "samples" / "failure-client.pcap"
HEADEND_PORT: Final = 10_000
SYN, RST, ACK = dpkt.tcp.TH_SYN, dpkt.tcp.TH_RST, dpkt.tcp.TH_ACK

WIDTH, HEIGHT = 880, 442
ZOOM_BEFORE_S, ZOOM_AFTER_S = 1.1, 1.7
STYLE: Final = """
    .card { fill: #ffffff; stroke: #d0d7de }
    .plot { fill: #f6f8fa }
    .grid { stroke: #d0d7de; stroke-width: 1 }
    .zoomed { fill: none; stroke: #57606a; stroke-dasharray: 4 3 }
    text  { fill: #24292f; font: 13px sans-serif }
    .small { font-size: 12px; fill: #57606a }
    .sent { stroke: #0969da; stroke-width: 2.5; fill: none }
    .ack  { stroke: #1a7f37; stroke-width: 2; fill: none }
    .dup  { fill: #bc4c00 }
    .lost { stroke: #cf222e; stroke-width: 5; fill: none }
    .rst  { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 2 3 }
    .lost-text { fill: #cf222e }
    .dup-text { fill: #bc4c00 }
    .sent-text { fill: #0969da }
    .ack-text { fill: #1a7f37 }
    @media (prefers-color-scheme: dark) {
      .card { fill: #0d1117; stroke: #30363d }
      .plot { fill: #161b22 }
      .grid { stroke: #30363d }
      .zoomed { stroke: #8b949e }
      text  { fill: #e6edf3 }
      .small { fill: #9198a1 }
      .sent { stroke: #4493f8 }
      .ack  { stroke: #3fb950 }
      .dup  { fill: #f0883e }
      .lost, .rst { stroke: #ff7b72 }
      .lost-text { fill: #ff7b72 }
      .dup-text { fill: #f0883e }
      .sent-text { fill: #4493f8 }
      .ack-text { fill: #3fb950 }
    }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One frame of the flow; numbers count from the initial ones, as Wireshark shows them."""

    frame: int
    at_s: float
    from_client: bool
    seq: int
    ack: int
    length: int
    flags: int

    @property
    def is_bare_ack(self) -> bool:
        return self.length == 0 and self.flags & (SYN | RST | ACK) == ACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the picture points at."""

    segments: tuple[Segment, ...]
    lost: Segment
    duplicates: tuple[Segment, ...]
    reset: Segment
    new_segments: int

    @property
    def sent(self) -> list[Segment]:
        return [one for one in self.segments if one.from_client and one.length]

    @property
    def acks(self) -> list[Segment]:
        return [one for one in self.segments if not one.from_client and one.flags & ACK]

    @property
    def last_data_back(self) -> Segment:
        return [one for one in self.acks if one.length][-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A rectangle of the picture, and the seconds and bytes that it shows."""

    left: float
    top: float
    width: float
    height: float
    from_s: float
    to_s: float
    low: int
    high: int

    def x(self, at_s: float) -> float:
        return round(self.left + self.width * (at_s - self.from_s) / (self.to_s - self.from_s), 1)

    def y(self, position: float) -> float:
        return round(self.top + self.height * (self.high - position) / (self.high - self.low), 1)

    def shows(self, one: Segment) -> bool:
        return self.from_s <= one.at_s <= self.to_s


def main() -> None:
    print("\n".join(drawing(story_of(read(CAPTURE)))))


# --- the capture ------------------------------------------------------------------------------


def read(path: Path) -> tuple[Segment, ...]:
    """The one flow of the capture, frame by frame."""
    with path.open("rb") as file:
        frames = [(time, dpkt.ethernet.Ethernet(data).data) for time, data in dpkt.pcap.Reader(file)]
    start = frames[0][0]
    first = {from_client(ip): ip.data.seq for _, ip in reversed(frames) if ip.data.flags & SYN}
    return tuple(
        segment(number, float(time - start), ip, first) for number, (time, ip) in enumerate(frames, 1)
    )


def from_client(ip: dpkt.ip.IP) -> bool:
    return bool(ip.data.dport == HEADEND_PORT)


def segment(frame: int, at_s: float, ip: dpkt.ip.IP, first: dict[bool, int]) -> Segment:
    sender, tcp = from_client(ip), ip.data
    return Segment(
        frame=frame,
        at_s=at_s,
        from_client=sender,
        seq=tcp.seq - first[sender],
        ack=tcp.ack - first[not sender],
        length=ip.len - ip.hl * 4 - tcp.off * 4,
        flags=tcp.flags,
    )


def story_of(segments: tuple[Segment, ...]) -> Story:
    """The byte that bare ACKs of the headend's address repeat most is the one that is asked for."""
    bare = [one for one in segments if not one.from_client and one.is_bare_ack]
    wanted = Counter(one.ack for one in bare).most_common(1)[0][0]
    asking = [one for one in bare if one.ack == wanted]
    sent = [one for one in segments if one.from_client and one.length]
    return Story(
        segments=segments,
        lost=next(one for one in sent if one.seq == wanted),
        duplicates=tuple(asking[1:]),  # the first one acknowledged what came before
        reset=next(one for one in segments if one.from_client and one.flags & RST),
        new_segments=sum(one.frame > asking[1].frame for one in sent),
    )


# --- the drawing ------------------------------------------------------------------------------


def drawing(story: Story) -> Iterator[str]:
    top = max(one.seq + one.length for one in story.sent)
    whole = Plot(
        left=60, top=60, width=380, height=350, from_s=0, to_s=32, low=0, high=-(-top // 5000) * 5000
    )
    asked_s = story.lost.at_s
    zoom = Plot(
        left=500,
        top=60,
        width=360,
        height=350,
        from_s=asked_s - ZOOM_BEFORE_S,
        to_s=asked_s + ZOOM_AFTER_S,
        low=story.lost.seq - 1100,
        high=story.lost.seq + 2400,
    )
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">'
    yield "  <title>The failure in samples/failure-client.pcap, as a time-sequence diagram</title>"
    yield f"  <desc>{in_words(story)}</desc>"
    yield f"  <style>{STYLE}\n  </style>"
    yield f'  <rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6"/>'
    yield text(
        60, 24, f"Bytes from client to headend, counted from the SYN; {CAPTURE.name}, seen at the client"
    )
    yield from panel("whole", whole, story, second_step=5, byte_step=5000)
    yield from window_of(whole, zoom)
    yield from panel("zoom", zoom, story, second_step=1, byte_step=1000)
    yield from labels_of_whole(whole, story)
    yield from labels_of_zoom(zoom, story)
    yield "</svg>"


def in_words(story: Story) -> str:
    return (
        f"Segments from the client rise steadily for {story.reset.at_s:.0f} seconds. The ACK follows them until byte "
        f"{story.lost.seq}, sent in frame {story.lost.frame} and lost, and stays there: {len(story.duplicates)} "
        f"duplicate ACKs, no answer, {story.new_segments} new segments, then an RST in frame {story.reset.frame}."
    )


def panel(name: str, plot: Plot, story: Story, *, second_step: int, byte_step: int) -> Iterator[str]:
    yield f'  <g id="{name}">'
    yield f'    <rect class="plot" x="{plot.left}" y="{plot.top}" width="{plot.width}" height="{plot.height}"/>'
    yield from axes(plot, second_step, byte_step)
    shown = [one for one in story.sent if plot.shows(one)]
    ticks = " ".join(f"M{plot.x(one.at_s)} {plot.y(one.seq)}V{plot.y(one.seq + one.length)}" for one in shown)
    yield f'    <path class="sent" d="{ticks}"/>'
    yield f'    <path class="ack" d="{ack_line(plot, story)}"/>'
    for one in filter(plot.shows, story.duplicates):
        yield f'    <circle class="dup" cx="{plot.x(one.at_s)}" cy="{plot.y(one.ack)}" r="2.5"/>'
    lost, reset = story.lost, story.reset
    low, high = plot.y(lost.seq), plot.y(lost.seq + lost.length)
    yield f'    <path class="lost" d="M{plot.x(lost.at_s)} {low}V{min(high, low - 4)}"/>'
    if plot.shows(reset):
        yield f'    <path class="rst" d="M{plot.x(reset.at_s)} {plot.top}V{plot.top + plot.height}"/>'
    yield "  </g>"


def axes(plot: Plot, second_step: int, byte_step: int) -> Iterator[str]:
    """A line and a number at every step that lies in the plot."""
    bottom, right = plot.top + plot.height, plot.left + plot.width
    for second in range(ceil(plot.from_s), int(plot.to_s) + 1, second_step):
        x = plot.x(second)
        yield f'    <path class="grid" d="M{x} {plot.top}V{bottom}"/>'
        yield f'    <text class="small" x="{x}" y="{bottom + 17}" text-anchor="middle">{second} s</text>'
    for mark in range(-(-plot.low // byte_step) * byte_step, plot.high + 1, byte_step):
        y = plot.y(mark)
        yield f'    <path class="grid" d="M{plot.left} {y}H{right}"/>'
        yield f'    <text class="small" x="{plot.left - 6}" y="{y + 4}" text-anchor="end">{mark}</text>'


def ack_line(plot: Plot, story: Story) -> str:
    """The highest ACK over time: level, and a step up where it rises."""
    highest, steps = 0, list[str]()
    for one in story.acks:
        if one.at_s < plot.from_s:
            highest = max(highest, one.ack)
            continue
        if not steps:
            steps.append(f"M{plot.left} {plot.y(max(highest, plot.low))}")
        if one.ack > highest and plot.shows(one):
            highest = one.ack
            steps.append(f"H{plot.x(one.at_s)}V{plot.y(highest)}")
    return "".join([*steps, f"H{plot.x(min(story.acks[-1].at_s, plot.to_s))}"])


def window_of(whole: Plot, zoom: Plot) -> Iterator[str]:
    """Where in the whole the second panel looks."""
    x, y = whole.x(zoom.from_s), whole.y(zoom.high)
    width, height = round(whole.x(zoom.to_s) - x, 1), round(whole.y(zoom.low) - y, 1)
    yield f'  <rect class="zoomed" x="{x}" y="{y}" width="{width}" height="{height}"/>'


def text(x: float, y: float, words: str, *, role: str = "", anchor: str = "start") -> str:
    mark = f' class="{role}"' if role else ""
    return f'  <text{mark} x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def labels_of_whole(plot: Plot, story: Story) -> Iterator[str]:
    yield text(plot.left, 48, "the whole flow", role="small")
    middle = plot.x(19)
    yield text(
        middle,
        plot.y(story.lost.seq) - 170,
        f"{story.new_segments} new segments",
        role="sent-text",
        anchor="end",
    )
    yield text(
        middle, plot.y(story.lost.seq) + 20, f"{len(story.duplicates)} duplicate ACKs,", role="dup-text"
    )
    yield text(middle, plot.y(story.lost.seq) + 37, "no answer", role="dup-text")
    x = plot.x(story.reset.at_s) - 5
    yield text(x, plot.y(4000), f"RST, frame {story.reset.frame}", role="lost-text", anchor="end")
    last = story.last_data_back
    yield text(
        x, plot.y(2200), f"last data from the headend: frame {last.frame}, {last.at_s:.1f} s", anchor="end"
    )


def labels_of_zoom(plot: Plot, story: Story) -> Iterator[str]:
    lost, first = story.lost, story.duplicates[0]
    yield text(plot.left, 48, "the seconds around the loss", role="small")
    x, y = plot.x(lost.at_s), plot.y(lost.seq)
    yield text(x - 8, plot.y(lost.seq + 110), f"frame {lost.frame}, lost", role="lost-text", anchor="end")
    yield text(x, y + 24, f"duplicate ACKs from frame {first.frame},", role="dup-text")
    yield text(x, y + 41, f"all for byte {lost.seq}", role="dup-text")
    yield text(x + 110, plot.y(lost.seq + 1700), "the client goes on", role="sent-text", anchor="end")
    yield text(plot.left + 8, y + 62, "the ACK follows,", role="ack-text")
    yield text(plot.left + 8, y + 79, "and stops", role="ack-text")


if __name__ == "__main__":
    main()
