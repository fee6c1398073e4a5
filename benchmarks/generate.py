"""Generated captures: `python -m benchmarks.generate KIND -o FILE [--frames N] [--flows N] [--seed S]`.

Knows the kinds, their usual sizes and where to write.  The same kind, size and seed give the same bytes (with
the same NumPy: its random streams may change between releases).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from benchmarks import traps
from benchmarks.behind import behind
from benchmarks.scenes import ctcp_library, ordinary_library
from benchmarks.traffic import Recipe, Truth, colliding_tuples, ctcp_tuples, ordinary_tuples, traffic
from benchmarks.wire import FULL_SNAPLEN, Frames, savefile

SMALL_FILES = 500
HEADERS_SNAPLEN = 100
OFFLOAD_SNAPLEN = 96

Make = Callable[[int, int, int, Truth], Iterator[Frames]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One sort of capture."""

    says: str
    frames: int
    flows: int
    make: Make  # frames, flows, seed, truth
    snaplen: int = FULL_SNAPLEN
    flows_can_be_chosen: bool = True


def _traffic(recipe: Recipe) -> Make:
    def make(frame_count: int, flows: int, seed: int, truth: Truth) -> Iterator[Frames]:
        return traffic(recipe, frame_count=frame_count, flows=flows, seed=seed, truth=truth)

    return make


def _behind(make: Make) -> Make:
    def made(frame_count: int, flows: int, seed: int, truth: Truth) -> Iterator[Frames]:
        return behind(make(frame_count, flows, seed, truth), truth)

    return made


def _trap(trap: Callable[[int, Truth], Iterator[Frames]]) -> Make:
    def make(frame_count: int, flows: int, seed: int, truth: Truth) -> Iterator[Frames]:
        return trap(frame_count, truth)

    return make


_recipe = partial(Recipe, library=ordinary_library, tuples=ordinary_tuples, snaplen=FULL_SNAPLEN)
ORDINARY = _recipe(udp_share=0.02)
_A = _recipe(record_len=845.0)  # with openings and endings 806: 1 GB in 1.24 million frames
_B = _recipe(record_len=105.5, snaplen=HEADERS_SNAPLEN)  # reaches 103: long scenes only, 0.93 GB
CTCP = _recipe(library=ctcp_library, tuples=ctcp_tuples, speaks_plain_tcp=False)
_CTCP_CUT = _recipe(library=ctcp_library, tuples=ctcp_tuples, speaks_plain_tcp=False, snaplen=HEADERS_SNAPLEN)
_COLLIDING = _recipe(tuples=colliding_tuples, record_len=150.0)


def _trap_kind(
    says: str,
    trap: Callable[[int, Truth], Iterator[Frames]],
    *,
    frames: int,
    flows: int = 1,
    snaplen: int = FULL_SNAPLEN,
) -> Kind:
    return Kind(
        says=says, frames=frames, flows=flows, make=_trap(trap), snaplen=snaplen, flows_can_be_chosen=False
    )


def _kind(says: str, recipe: Recipe, *, frames: int = 1_000_000, flows: int) -> Kind:
    return Kind(says=says, frames=frames, flows=flows, make=_traffic(recipe), snaplen=recipe.snaplen)


KINDS: dict[str, Kind] = {
    "ordinary": _kind("ordinary TCP with a little loss, 2 % UDP", ORDINARY, flows=5_000),
    "A": _kind("1 GB, frames of about 800 bytes", _A, frames=1_240_000, flows=10_000),
    "B": _kind("0.93 GB, cut at 100 bytes, many flows", _B, frames=9_000_000, flows=100_000),
    "one-flow": _kind("one huge flow", _A, flows=1),
    "tiny": _kind("thirty frames", _recipe(), frames=30, flows=3),
    "ctcp": _kind("every flow is cTCP; one in fifty dies unanswered", CTCP, flows=5_000),
    "ctcp-cut": _kind("every flow is cTCP, cut at 100 bytes", _CTCP_CUT, frames=4_000_000, flows=20_000),
    "ctcp-behind": Kind(
        says="the frames of ctcp behind a firewall that translates, renumbers and loses some",
        frames=1_000_000,
        flows=5_000,
        make=_behind(_traffic(CTCP)),
    ),
    "small-files": _kind(f"a folder of {SMALL_FILES} ordinary captures", ORDINARY, frames=200, flows=4),
    "colliding": _kind(
        "4-tuples that weak hashes cannot tell apart", _COLLIDING, frames=1_500_000, flows=100_000
    ),
    "holes": _trap_kind("a million holes in one flow, half filled later", traps.holes, frames=1_530_000),
    "holes-scattered": _trap_kind(
        "a million holes, in scattered order", traps.holes_scattered, frames=1_150_000
    ),
    "one-byte": _trap_kind(
        "one-byte segments in scattered order, every byte twice", traps.one_byte, frames=1_340_000
    ),
    "half-open": _trap_kind(
        "SYN segments that nobody answers", traps.half_open, frames=4_000_000, flows=4_000_000
    ),
    "sack-storm": _trap_kind("four far-flung SACK blocks in every ACK", traps.sack_storm, frames=1_000_000),
    "wrap": _trap_kind(
        "sequence numbers that wrap every 4 GiB", traps.wrap, frames=1_000_000, snaplen=OFFLOAD_SNAPLEN
    ),
    "dup-ack-storm": _trap_kind(
        "a million duplicate ACKs for one byte", traps.dup_ack_storm, frames=1_150_000
    ),
}


def write_capture(kind: Kind, out: BinaryIO, *, frames: int, flows: int, seed: int) -> Truth:
    truth = Truth()
    out.writelines(savefile(kind.make(frames, flows, seed, truth), kind.snaplen))
    return truth


def write_folder(
    kind: Kind, folder: Path, *, frames: int, flows: int, seed: int, files: int = SMALL_FILES
) -> Truth:
    """Many small captures; the truth is their sum, without frame numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    total = Truth()
    for number in range(files):
        size = max(20, frames // 2 + number * frames // files)
        with (folder / f"{number:03}.pcap").open("wb") as out:
            truth = write_capture(kind, out, frames=size, flows=flows, seed=seed * files + number)
        total.frames += truth.frames
        total.tcp_segments += truth.tcp_segments
        total.flows += truth.flows
    return total


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    listing = "\n".join(f"  {name:16} {kind.says}" for name, kind in KINDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generate",
        description="Generate a TCP-consistent capture.",
        epilog=f"kinds:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=KINDS, metavar="KIND")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="- is stdout; small-files: a folder"
    )
    parser.add_argument("--frames", type=int, metavar="N", help="exactly as many frames")
    parser.add_argument("--flows", type=int, metavar="N", help="at most as many flows; not for traps")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="traps know no chance and ignore it")
    parser.add_argument("--truth", metavar="FILE", help="write what the generator knows, as JSON")
    return parser.parse_args(argv)


def _write(kind: Kind, where: str, *, into_folder: bool, frames: int, flows: int, seed: int) -> Truth:
    if into_folder:
        return write_folder(kind, Path(where), frames=frames, flows=flows, seed=seed)
    if where == "-":
        return write_capture(kind, sys.stdout.buffer, frames=frames, flows=flows, seed=seed)
    with open(where, "wb") as out:
        return write_capture(kind, out, frames=frames, flows=flows, seed=seed)


def main(argv: Sequence[str] | None = None) -> int:
    options = _arguments(argv)
    kind = KINDS[options.kind]
    frames = kind.frames if options.frames is None else options.frames
    flows = kind.flows if options.flows is None else options.flows
    if frames < 10 or flows < 1:
        print("generate: at least 10 frames and 1 flow, please", file=sys.stderr)
        return 2
    if options.flows is not None and not kind.flows_can_be_chosen:
        print(f"generate: the number of flows of {options.kind} is part of the trap", file=sys.stderr)
        return 2
    into_folder = options.kind == "small-files"
    try:
        truth = _write(
            kind, options.output, into_folder=into_folder, frames=frames, flows=flows, seed=options.seed
        )
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if options.truth is not None:
        told = {"kind": options.kind, "seed": options.seed, **asdict(truth)}
        Path(options.truth).write_text(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
