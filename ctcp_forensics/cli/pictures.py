"""Pictures on request: a report gets its pictures by a second reading, and the worst flow's is drawn.

Knows files, the terminal's encoding, and what has to be installed for a PNG.  Does not know how anything is drawn.
"""

import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from ctcp_forensics.capture import Access
from ctcp_forensics.cli.ends import Refused, say
from ctcp_forensics.cli.output import STANDARD_OUTPUT, destination
from ctcp_forensics.cli.progress import Progress
from ctcp_forensics.render.look import Look
from ctcp_forensics.report import Picture, Report, ReportError

KINDS = (".svg", ".png")
PNG_ZOOM = 2.0  # 960 pixels are a page's width; twice as many stay sharp in print
NO_PNG = "a PNG needs resvg-py, which is not installed: pip install 'ctcp-forensics[png]', or name a .svg"
NO_FONT = (
    "a PNG needs a font, and this machine has none of those: install DejaVu or Liberation, or name a .svg"
)
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">{}</svg>'


def checked(name: str) -> None:
    """Refuse the name of a picture that cannot be drawn before any work is done for it."""
    kind = Path(name).suffix.lower()
    if kind not in KINDS:
        raise Refused(f"cannot draw {name}: name a file that ends in .svg or .png")
    if kind == ".png" and pixels(BLANK.format("")) == pixels(BLANK.format(a_letter())):
        raise Refused(NO_FONT)


def a_letter() -> str:
    from ctcp_forensics.render.plot.paper import FONTS, text

    return text(2, 18, "M", font_family=FONTS, font_size=18)


def with_pictures(report: Report, *, at_most: int, progress: Progress | None, access: Access) -> Report:
    """The report with the pictures of its worst flows; captures that cannot be read again are told of."""
    from ctcp_forensics.picture import picture_of
    from ctcp_forensics.retrace import retrace, worst

    flows = worst(report, at_most)
    found = retrace(report, [flow.id for flow in flows], progress, access=access)
    for error in found.failed:
        say(f"{error}; it is not drawn")
    made = [picture_of(flow, found.of_flow(flow.id)) for flow in flows]
    return msgspec.structs.replace(report, pictures=tuple(one for one in made if one is not None))


def plot(report: Report, name: str, sources: Collection[str]) -> None:
    """Draw the first picture of a report into a file that `checked` has let pass; without one, say why."""
    picture = first(report)
    if picture is None:
        return
    from ctcp_forensics.render.plot import svg

    try:
        drawn = svg(report, picture)
    except ReportError as error:
        raise Refused(str(error)) from error
    with destination(name, sources) as file:
        if Path(name).suffix.lower() == ".png":
            file.buffer.write(pixels(drawn))
        else:
            file.write(drawn)


def sketched(report: Report, look: Look, output: str) -> Iterator[str]:
    """The first picture of a report in characters, behind an empty line."""
    picture = first(report)
    if picture is None:
        return
    from ctcp_forensics.render.sketch import sketch

    is_ascii = output == STANDARD_OUTPUT and not speaks_unicode()
    try:
        yield from ("\n", *sketch(report, picture, look, is_ascii=is_ascii))
    except ReportError as error:
        raise Refused(str(error)) from error


def first(report: Report) -> Picture | None:
    if report.pictures:
        return report.pictures[0]
    reason = "none of its captures can be read again" if report.flows else "no flow was judged"
    say(f"nothing is drawn: {reason}")
    return None


def speaks_unicode() -> bool:
    """Whether standard output can carry the signs of a sketch."""
    from ctcp_forensics.render.sketch import UNICODE

    try:
        "".join(UNICODE.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def pixels(drawn: str) -> bytes:
    """An SVG as PNG, with the machine's fonts."""
    try:
        import resvg_py
    except ImportError as error:
        raise Refused(NO_PNG) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=drawn, zoom=PNG_ZOOM, background="#ffffff"))
