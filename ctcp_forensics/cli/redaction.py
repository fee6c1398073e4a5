"""Redaction from the command line: key files, reports and answers.

Knows where a key lies and who may read it.  Does not know what is replaced: see redact.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctcp_forensics.cli.ends import Refused, say
from ctcp_forensics.cli.output import STANDARD_OUTPUT, destination, write_utf8
from ctcp_forensics.cli.stored import stored
from ctcp_forensics.cli.utf8 import as_utf8
from ctcp_forensics.errors import CtcpError

if TYPE_CHECKING:
    from ctcp_forensics.redact import Pseudonyms, Rewriter
    from ctcp_forensics.report import Report

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
MAX_TEXT_LEN: Final = 1 << 28
"""Bytes of a report or an answer that is read at once; more than this nobody wrote."""


def make_key(path: str) -> None:
    """A new key file that only its owner may read.  One that exists is never touched: its pseudonyms hang on it."""
    import secrets  # it loads what no analysis needs

    from ctcp_forensics.redact.key import SECRET_LEN, Key, text_of_key_file

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, made with its permissions
            file.write(text_of_key_file(Key(secret=secrets.token_bytes(SECRET_LEN))))
    except FileExistsError as error:
        raise Refused(f"{path} exists; a key is not overwritten") from error
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from error
    say(f"{path} is a new key: who has it can undo the redaction. Keep it, and give it to nobody")


class Veil:
    """The pseudonyms of a key file, on their way into an output."""

    def __init__(self, key_file: str, *outputs: str | None) -> None:
        """The key is read now, not after hours of work."""
        self.pseudonyms = pseudonyms_of(key_file, *outputs)
        self._key_file = key_file

    def over(self, report: Report) -> Report:
        """The report that may be shown; what its pseudonyms stand for is noted first."""
        from ctcp_forensics.redact import redacted

        try:
            found = redacted(report, self.pseudonyms)
        except CtcpError as error:
            raise Refused(str(error)) from error
        self.keep()
        return found

    def rewriter(self) -> Rewriter:
        """For the frames; `keep` notes what they add."""
        from ctcp_forensics.redact import Rewriter

        return Rewriter(self.pseudonyms)

    def keep(self) -> None:
        keep(self.pseudonyms, self._key_file)


def veil(key_file: str | None, *outputs: str | None) -> Callable[[Report], Report]:
    """What is done to a report before anything is made of it."""
    return (lambda report: report) if key_file is None else Veil(key_file, *outputs).over


def pseudonyms_of(key_file: str, *outputs: str | None) -> Pseudonyms:
    """Those of a key that nobody else may read, and that no output overwrites."""
    from ctcp_forensics.redact import Pseudonyms
    from ctcp_forensics.redact.key import read_key_file

    for output in filter(None, outputs):
        refuse_over(key_file, output)
    try:
        with open(key_file, "rb") as file:  # noqa: PTH123 - asked for its permissions before it is read
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & OTHERS:
                raise Refused(
                    f"{key_file} can be read by others than its owner: `chmod 600` it, or make another"
                )
            known = read_key_file(as_utf8(file.read(MAX_TEXT_LEN)))
    except OSError as error:
        raise Refused(f"cannot read the key {key_file}: {error.strerror}") from error
    except CtcpError as error:
        raise Refused(f"{key_file}: {error}") from error
    return Pseudonyms(known.key, known.given)


def refuse_over(key_file: str, output: str) -> None:
    with contextlib.suppress(OSError):
        if Path(output).samefile(key_file):
            raise Refused(f"{output} is the key: it is not overwritten")


def keep(pseudonyms: Pseudonyms, key_file: str) -> None:
    """Note what is new in the key file, before anything is shown that could not be taken back otherwise."""
    from ctcp_forensics.redact.key import lines_of

    if pseudonyms.not_noted:
        say(f"{pseudonyms.not_noted} pseudonyms are more than {key_file} takes, and cannot be taken back")
    new = pseudonyms.taken()
    if not new:
        return
    try:
        with Path(key_file).open("ab", buffering=0) as file:
            file.write(lines_of(new))  # one write: two analyses may end at one moment
    except OSError as error:
        raise Refused(f"cannot note the pseudonyms in {key_file}: {error.strerror}") from error


# --- the command ----------------------------------------------------------------------------------


def redact_report(source: str, key_file: str, output: str) -> None:
    """A stored report, redacted."""
    under_pseudonyms = veil(key_file, output)
    with destination(output, [source]) as text:
        write_utf8(text, under_pseudonyms(stored(source)).json_pieces())


def undo(source: str, key_file: str, output: str) -> None:
    """A report, or any text that quotes one, with the originals."""
    pseudonyms = pseudonyms_of(key_file, output)
    with destination(output, [source]) as text:
        write_utf8(text, original_of(content_of(source), pseudonyms))


def original_of(content: bytes, pseudonyms: Pseudonyms) -> Iterable[str]:
    from ctcp_forensics.redact import undone, undone_text
    from ctcp_forensics.redact.words import names_left
    from ctcp_forensics.report import Report, ReportError

    try:
        found = undone(Report.from_json(content), pseudonyms.key.name, pseudonyms.given).to_json().decode()
    except ReportError:
        found = undone_text(content.decode(errors="backslashreplace"), pseudonyms.given)
    except CtcpError as error:
        raise Refused(str(error)) from error
    left = names_left(found)
    if left:
        say(f"not given with this key, and left alone: {', '.join(left)}")
    return (found,)


def content_of(source: str) -> bytes:
    """All of a file or of standard input."""
    try:
        if source == STANDARD_OUTPUT:
            content = sys.stdin.buffer.read(MAX_TEXT_LEN + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(MAX_TEXT_LEN + 1)
    except OSError as error:
        raise Refused(f"cannot read {source}: {error.strerror}") from error
    if len(content) > MAX_TEXT_LEN:
        raise Refused(f"{source} is longer than {MAX_TEXT_LEN} bytes: no report and no answer is")
    return as_utf8(content)
