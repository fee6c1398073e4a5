"""Taking a picture: the traces of a flow → its decisive seconds, as a report stores them.

Knows which steps that takes.  Which seconds are decisive is decided in seconds, what may be left out in thin.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctcp_forensics.picture.seconds import Scene, span_of, what_follows
from ctcp_forensics.picture.stored import holes_of, stored
from ctcp_forensics.picture.thin import thinned
from ctcp_forensics.report import DIRECTION_WORDS, Flow, Picture, PicturePlace
from ctcp_forensics.trace import Trace


def picture_of(flow: Flow, traces: Sequence[Trace]) -> Picture | None:
    """The decisive seconds of one flow, by the traces of its places; None without a segment."""
    scene = Scene.of(flow, traces)
    if scene is None:
        return None
    span = span_of(scene)
    return Picture(
        flow=flow.id,
        direction=DIRECTION_WORDS[scene.way],
        from_ns=span.from_ns,
        to_ns=span.to_ns,
        moment_ns=span.moment.at_ns,
        moment=span.moment.words,
        follows=what_follows(scene, span),
        places=tuple(place_of(trace, span.from_ns, span.to_ns) for trace in traces),
    )


def place_of(trace: Trace, from_ns: int, to_ns: int) -> PicturePlace:
    rows, left_out = thinned(trace.columns, from_ns, to_ns)
    return PicturePlace(
        place=trace.place,
        captures=trace.captures,
        clock_error_ns=trace.clock_error_ns,
        base_seq=trace.base_seq,
        keeps_step=trace.keeps_step,
        holes=holes_of(trace, from_ns, to_ns),
        left_out=left_out,
        **stored(trace.columns, rows, from_ns),
    )
