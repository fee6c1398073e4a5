"""The demonstration's captures, where an analysis finds them.

Knows folders.  Does not know what is in the captures: see demo.
"""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.demo import make_demo
from ctcp_forensics.reading import Source


@contextmanager
def demo_captures(keep: Path | None) -> Iterator[list[Source]]:
    """The demonstration's captures, in `keep` or for the time of the analysis.

    A folder that passes has a random name, which must not get into a report: it is entered instead.
    """
    if keep is not None:
        yield demo_sources(keep)
        return
    with TemporaryDirectory() as folder, chdir(folder):
        yield demo_sources(Path())


def demo_sources(folder: Path) -> list[Source]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = make_demo(folder)
    except OSError as error:
        raise Refused(f"cannot write the captures into {folder.resolve()}: {error.strerror}") from error
    return [
        Source(path=str(made.client), vantage="client"),
        Source(path=str(made.asa_outside), vantage="asa-outside"),
        Source(path=str(made.asa_inside), vantage="asa-inside"),
    ]
