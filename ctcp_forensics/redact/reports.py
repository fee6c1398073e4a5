"""Reports: every text of one under pseudonyms, and back.

Knows what each text of the schema is.  Does not know how a word is found in a sentence: see words.

The report is walked by type.  A text that nobody has said anything about, since its field is new, is read like a
sentence, so that no address passes; a test asks for a word on it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from functools import cache
from typing import Any, Final

import msgspec
import msgspec.inspect

from ctcp_forensics.errors import CtcpError
from ctcp_forensics.redact.pseudonyms import INTERFACE, Pseudonyms, canonical
from ctcp_forensics.redact.words import Redactor, undone_text
from ctcp_forensics.report import Report


class RedactionError(CtcpError):
    """The report is not one that this can be done to."""


class Text(Enum):
    """What a text of a report is."""

    WORD = auto()
    """One of the report's own: a verdict, a version, a capture's id."""
    SENTENCE = auto()
    """Prose, a filter or a command: names and addresses may stand in it."""
    ADDRESS = auto()
    SOURCE = auto()
    """A path as it was named on the command line."""
    INTERFACE = auto()
    DIGEST = auto()
    """Hexadecimal; of addresses among other things."""


# Numbers with a space between: none of them names anybody.
COLUMNS: Final = (
    *("at_ns", "frame", "capture", "direction", "pos", "length", "ack", "window", "marks"),
    *("sack_row", "sack_left", "sack_right"),
)
OF_FLOWS: Final = (
    *("verdict", "client", "client_port", "headend", "headend_port"),
    *("first_ns", "last_ns", "first_frame", "to_headend", "to_client"),
)
# By struct and field; what is an enumeration in the schema is a WORD without a line here.
TEXTS: Final = {
    "AlsoPossible.because": Text.SENTENCE,
    "AlsoPossible.settled_by": Text.SENTENCE,
    "Cap.cap": Text.SENTENCE,
    "Cap.reached_by": Text.SENTENCE,
    "Brief.addresses": Text.ADDRESS,
    "Brief.capture": Text.WORD,
    **{f"Brief.{column}": Text.WORD for column in OF_FLOWS},
    "Capture.blake3": Text.DIGEST,
    "Capture.compression": Text.WORD,
    "Capture.content_blake3": Text.DIGEST,
    "Capture.content_sha256": Text.DIGEST,
    "Capture.format": Text.WORD,
    "Capture.id": Text.WORD,
    "Capture.notes": Text.SENTENCE,
    "Capture.sha256": Text.DIGEST,
    "Capture.source": Text.SOURCE,
    "Clock.because": Text.SENTENCE,
    "ClockPiece.from_capture": Text.WORD,
    "ClockPiece.to_capture": Text.WORD,
    "Crossing.flow": Text.DIGEST,
    "Crossing.lost_in": Text.WORD,
    "Damage.reason": Text.SENTENCE,
    "Encapsulation.because": Text.SENTENCE,
    "Encapsulation.kind": Text.WORD,
    "Ending.because": Text.SENTENCE,
    "Endpoint.address": Text.ADDRESS,
    "Evidence.because": Text.SENTENCE,
    "Evidence.claim": Text.WORD,
    "Evidence.link": Text.WORD,
    "Evidence.settled_by": Text.SENTENCE,
    "Evidence.would_refute": Text.SENTENCE,
    "Failed.reason": Text.SENTENCE,
    "Failed.source": Text.SOURCE,
    "Finding.display_filter": Text.SENTENCE,
    "Finding.display_filters": Text.SENTENCE,
    "Finding.flow": Text.DIGEST,
    "Finding.id": Text.DIGEST,
    "Finding.missing_evidence": Text.SENTENCE,
    "Finding.rule_version": Text.WORD,
    "Finding.summary": Text.SENTENCE,
    "Finding.title": Text.WORD,
    "Firewall.because": Text.SENTENCE,
    "Flow.id": Text.DIGEST,
    "Flow.judged_in": Text.WORD,
    "Flow.roles_because": Text.SENTENCE,
    "Interface.name": Text.INTERFACE,
    "Path.notes": Text.SENTENCE,
    "Picture.flow": Text.DIGEST,
    "Picture.follows": Text.SENTENCE,
    "Picture.moment": Text.SENTENCE,
    "PicturePlace.captures": Text.WORD,
    "PicturePlace.place": Text.SENTENCE,
    **{f"PicturePlace.{column}": Text.WORD for column in COLUMNS},
    "Place.because": Text.SENTENCE,
    "Place.captures": Text.WORD,
    "Recommendation.caveats": Text.SENTENCE,
    "Recommendation.change": Text.SENTENCE,
    "Recommendation.commands": Text.SENTENCE,
    "Recommendation.cost": Text.SENTENCE,
    "Recommendation.fix": Text.WORD,
    "Recommendation.roll_back": Text.SENTENCE,
    "Recommendation.source": Text.SENTENCE,
    "Recommendation.title": Text.SENTENCE,
    "Recommendation.verify": Text.SENTENCE,
    "Report.notes": Text.SENTENCE,
    "Report.redacted_with": Text.WORD,
    "Report.schema_version": Text.WORD,
    "Seen.capture": Text.WORD,
    "Seen.captures": Text.WORD,
    "Seen.last_capture": Text.WORD,
    "Tool.name": Text.WORD,
    "Tool.rules_version": Text.WORD,
    "Tool.version": Text.WORD,
    "Undecoded.reason": Text.SENTENCE,
}


def redacted(report: Report, pseudonyms: Pseudonyms) -> Report:
    """The same report with pseudonyms in the place of addresses, names and hashes, and the key's name in it."""
    if report.redacted_with is not None:
        raise RedactionError(f"the report is redacted already, with key {report.redacted_with}")
    spelled: Report = walked(report, changes(report, pseudonyms))
    return msgspec.structs.replace(spelled, redacted_with=pseudonyms.key.name)


def undone(report: Report, key_name: str, given: Mapping[str, str]) -> Report:
    """The report as it was before it was redacted with that key."""
    if report.redacted_with is None:
        raise RedactionError("the report is not redacted")
    if report.redacted_with != key_name:
        raise RedactionError(
            f"the report was redacted with key {report.redacted_with}; this is key {key_name}"
        )
    back: Report = walked(report, lambda text, said: said if text == Text.WORD else undone_text(said, given))
    return msgspec.structs.replace(back, redacted_with=None)


def changes(report: Report, pseudonyms: Pseudonyms) -> Callable[[Text, str], str]:
    """What becomes of a text, by what it is."""
    sentence = Redactor(pseudonyms, sources_of(report), interfaces_of(report))
    return lambda text, said: changed(text, said, pseudonyms, sentence)


def changed(text: Text, said: str, pseudonyms: Pseudonyms, sentence: Redactor) -> str:
    match text:
        case Text.WORD:
            return said
        case Text.SOURCE:
            return pseudonyms.source(said)
        case Text.INTERFACE:
            return pseudonyms.name(INTERFACE, said)
        case Text.DIGEST:
            return pseudonyms.digest(said)
        case Text.ADDRESS if canonical(said) is not None:
            return pseudonyms.address(said)
        case Text.ADDRESS | Text.SENTENCE:
            return sentence(said)


def sources_of(report: Report) -> Iterator[str]:
    yield from (capture.source for capture in report.captures)
    yield from (failed.source for failed in report.coverage.failed)


def interfaces_of(report: Report) -> Iterator[str]:
    for capture in report.captures:
        yield from (interface.name for interface in capture.interfaces if interface.name)


# --- the walk -----------------------------------------------------------------------------------


def walked(value: Any, change: Callable[[Text, str], str], text: Text = Text.SENTENCE) -> Any:
    """`value` with every text in it changed.  Keys of mappings are ids of captures, which stay."""
    match value:
        case str():
            return change(text, value)
        case msgspec.Struct():
            return rebuilt(value, change)
        case tuple():
            return tuple(walked(one, change, text) for one in value)
        case dict():
            return {key: walked(one, change, text) for key, one in value.items()}
        case _:
            return value


def rebuilt(struct: msgspec.Struct, change: Callable[[Text, str], str]) -> msgspec.Struct:
    kind = type(struct)
    parts = {
        name: walked(getattr(struct, name), change, text_of(kind, name)) for name in struct.__struct_fields__
    }
    return kind(**parts)


def text_of(kind: type[msgspec.Struct], name: str) -> Text:
    known = TEXTS.get(f"{kind.__name__}.{name}")
    if known is not None:
        return known
    return Text.WORD if name in worded(kind) else Text.SENTENCE


@cache
def worded(kind: type[msgspec.Struct]) -> frozenset[str]:
    """Fields whose schema lists every word that may stand there."""
    known = msgspec.inspect.type_info(kind)
    assert isinstance(known, msgspec.inspect.StructType)  # noqa: S101 - of a Struct there is no other
    return frozenset(field.name for field in known.fields if is_worded(field.type))


def is_worded(type_: msgspec.inspect.Type) -> bool:
    """A text with listed words, or nothing."""
    if isinstance(type_, msgspec.inspect.UnionType):
        return all(isinstance(one, msgspec.inspect.NoneType) or is_worded(one) for one in type_.types)
    listed = isinstance(type_, msgspec.inspect.Metadata) and type_.extra_json_schema
    return bool(listed and "enum" in listed)
