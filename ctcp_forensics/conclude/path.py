"""The path: captures in order from client to headend, as the report tells it.

Knows the report's names of what several captures show together.  Does not know verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ctcp_forensics import report
from ctcp_forensics.flows import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT
from ctcp_forensics.reading import Reading
from ctcp_forensics.vantage import TO_HEADEND, Between, Connection, Crossing, Link, Path, Piece, Place

PPM = 1e6
FRAMES_NAMED = 16
"""Lost segments named for each crossing; all are counted."""


def path_of(path: Path, readings: Sequence[Reading], flow_ids: Mapping[int, str]) -> report.Path:
    """`flow_ids` are the report's, by the identity of the connection."""
    return report.Path(
        places=tuple(place_of(place, readings[place.view.number]) for place in path.places),
        clocks=tuple(clock_of(link, path, readings) for link in path.links),
        crossings=tuple(
            crossing_of(connection, crossing, flow_ids[id(connection)], readings)
            for connection in path.connections
            for crossing in connection.crossings
        ),
        firewalls=tuple(firewall_of(one) for one in path.boxes),
        notes=path.notes,
    )


def firewall_of(box: Between) -> report.Firewall:
    return report.Firewall(
        sent_from=box.near,
        towards=box.far,
        nature=box.nature,
        because=box.because,
        step_to_headend=box.steps[0],
        step_to_client=box.steps[1],
    )


def place_of(place: Place, reading: Reading) -> report.Place:
    return report.Place(
        captures=reading.captures,
        interface=reading.interface,
        vantage=place.vantage,
        is_told=place.is_told,
        is_sure=place.is_sure,
        because=place.because,
    )


def clock_of(link: Link, path: Path, readings: Sequence[Reading]) -> report.Clock:
    reading = readings[path.places[link.far].view.number]
    return report.Clock(
        place=link.far,
        reference=link.near,
        is_shared=link.is_shared,
        pieces=tuple(piece_of(piece, reading) for piece in link.clock.pieces),
        because=link.because,
    )


def piece_of(piece: Piece, reading: Reading) -> report.ClockPiece:
    at_ns = piece.middle_ns
    low, high = piece.offset_at(at_ns)
    skew, skews = piece.skew, piece.skews
    first_ns, last_ns = piece.span_ns
    first, last = (reading.locate(frame) for frame in piece.far_frames)
    return report.ClockPiece(
        from_frame=first[1],
        to_frame=last[1],
        from_capture=first[0],
        to_capture=last[0],
        at_ns=at_ns,
        from_ns=first_ns,
        to_ns=last_ns,
        offset_low_ns=low,
        offset_high_ns=high,
        skew_ppm=None if skew is None else round(skew * PPM, 3),
        skew_low_ppm=None if skews is None else round(skews[0] * PPM, 3),
        skew_high_ppm=None if skews is None else round(skews[1] * PPM, 3),
        matches=piece.matches,
    )


def crossing_of(
    connection: Connection, crossing: Crossing, flow: str, readings: Sequence[Reading]
) -> report.Crossing:
    interval = crossing.rate_interval
    before, behind = crossing.before, crossing.behind
    sizes = [one.length for one in crossing.lost]
    lost = lost_frames(crossing, readings)
    return report.Crossing(
        flow=flow,
        direction=CLIENT_TO_HEADEND if crossing.way == TO_HEADEND else HEADEND_TO_CLIENT,
        sent_from=None if before is None else before.place,
        towards=behind.place,
        location=connection.location_of(crossing),
        arrived=crossing.arrived,
        altered=crossing.altered,
        lost=crossing.lost_count,
        injected=crossing.injected,
        not_captured_before=crossing.not_captured_before,
        not_captured_behind=crossing.not_captured_behind,
        undecided=crossing.undecided,
        withheld=crossing.withheld,
        damaged=crossing.damaged,
        beyond=crossing.beyond,
        loss_rate=rounded(crossing.rate),
        loss_rate_low=None if interval is None else rounded(interval[0]),
        loss_rate_high=None if interval is None else rounded(interval[1]),
        pattern=crossing.pattern,
        depends_on_size=crossing.depends_on_size,
        smallest_lost_len=min(sizes, default=None),
        largest_arrived_len=crossing.largest_arrived,
        lost_frames=tuple(frame for _, frame in lost),
        lost_in=tuple(capture for capture, _ in lost),
    )


def rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)


def lost_frames(crossing: Crossing, readings: Sequence[Reading]) -> list[tuple[str, int]]:
    """The capture and number of each."""
    if crossing.before is None:
        return []
    reading = readings[crossing.before.view.number]
    return [reading.locate(one.frame) for one in crossing.lost[:FRAMES_NAMED]]
