"""Axes: bytes on the left, seconds below, and the lines between them.

Knows where round numbers are.  Does not know what is drawn over the lines: see lane.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctcp_forensics.render.plot.lane import GREY, PALE, Lane
from ctcp_forensics.render.plot.paper import SMALL, path, text
from ctcp_forensics.render.plot.scale import Scale, steps
from ctcp_forensics.render.wording import utc
from ctcp_forensics.report import Picture


def byte_axis(lane: Lane) -> Iterator[str]:
    scale, box = lane.scale, lane.scale.box
    for at in steps(scale.low, scale.high, 5 if box.height > 200 else 4):
        if at != int(at) or at < 0:
            continue
        y = scale.y(int(at))
        yield path(f"M{box.left:.1f} {y:.1f}H{box.right:.1f}", stroke=PALE, stroke_width=0.7)
        yield text(box.left - 7, y + 4, f"{int(at):,}", font_size=SMALL, fill=GREY, text_anchor="end")
    x, y = 15, box.top + box.height / 2
    told = "bytes to the client" if lane.way else "bytes to the headend"
    yield text(
        x,
        y,
        told,
        font_size=SMALL,
        fill=GREY,
        text_anchor="middle",
        transform=f"rotate(-90 {x} {y:.1f})",
    )


def seconds_in(picture: Picture, scale: Scale) -> Iterator[tuple[float, float]]:
    """Seconds from the moment, and where they are."""
    zero = picture.moment_ns
    for at in steps((scale.from_ns - zero) / 1e9, (scale.to_ns - zero) / 1e9, 12):
        yield at, scale.x(zero + round(at * 1e9))


def grid(picture: Picture, scale: Scale) -> Iterator[str]:
    for at, x in seconds_in(picture, scale):
        color, width = (GREY, 0.9) if at == 0 else (PALE, 0.7)
        yield path(f"M{x:.1f} {scale.box.top:.1f}V{scale.box.bottom:.1f}", stroke=color, stroke_width=width)


def time_axis(picture: Picture, scale: Scale, y: float) -> Iterator[str]:
    for at, x in seconds_in(picture, scale):
        yield text(x, y + 12, f"{at + 0.0:g} s", font_size=SMALL, fill=GREY, text_anchor="middle")
    told = f"0 s is {utc(picture.moment_ns)}: {picture.moment}"
    yield text(scale.box.left + scale.box.width / 2, y + 30, told, text_anchor="middle")
