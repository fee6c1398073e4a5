"""How a command ends: well, interrupted, or in trouble that is one line long.

Knows exit statuses and standard error.  Does not know what the commands do.
"""

import _signal as signal  # type: ignore[import-not-found]  # `signal` makes enumerations of them: a twentieth of `--version`
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

TROUBLE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count
OBJECTS_BETWEEN_SWEEPS = 100_000
"""What is made of flows holds no cycles: to look for some every 700 objects, as Python does, takes an eighth of the
time where thousands of flows are judged."""
STOPPED = (
    b"ctcp-diag: stopped; what came so far is answered (Ctrl-C once more: at once, and without an answer)\n"
)

_instead: Callable[[], None] | None = None
"""What the first Ctrl-C calls, see `at_interrupt`."""


class Done(Exception):  # noqa: N818  # it is not an error
    """A command has done its work.  Typer lets it pass, where it would take 1 for a broken pipe's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Refused(Exception):  # noqa: N818  # the user's error, not ours
    """The command cannot be carried out as it was given; the message says why."""


def prepare_process() -> None:
    """What a program of its own sees to before it begins, and a caller of `main` may want otherwise."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us: what goes there goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # it stays open
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    gc.set_threshold(OBJECTS_BETWEEN_SWEEPS)


def end_process() -> None:
    """Spare Python its last look for cycles in all that was loaded: the system takes the memory back.

    It is a twelfth of the time where the capture is small.
    """
    gc.freeze()


def at_interrupt(instead: Callable[[], None] | None) -> None:
    """What the first Ctrl-C does instead of ending all work: stop what could go on for ever, so that an answer follows.

    None: it ends all work again.
    """
    global _instead  # noqa: PLW0603  # a signal finds nothing else
    _instead = instead


def _interrupt(_signal: int, _frame: object) -> None:
    """The first Ctrl-C ends the work in order, a second one the process at once: neither shows a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if _instead is None:
        raise KeyboardInterrupt
    with suppress(OSError):
        os.write(sys.stderr.fileno(), STOPPED)  # not `print`, which the signal may have come into
    _instead()


def guarded(work: Callable[[], int], *, debug: bool) -> int:
    """The status of `work`; whatever stops it becomes one line and a status."""
    try:
        status = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        leave_pipe(sys.stdout)
        return 0
    except Refused as refused:
        say(str(refused))
        return TROUBLE
    except OSError as error:
        return _failed(error, debug=debug)
    except Exception as error:  # noqa: BLE001  # the last stop before the user
        return _internal(error, debug=debug)
    return status


def say(message: str) -> None:
    """One line on standard error; that nobody reads it is no reason to fail."""
    from ctcp_forensics.render.wording import clean

    try:
        print(f"ctcp-diag: {clean(message)}", file=sys.stderr, flush=True)
    except OSError:
        leave_pipe(sys.stderr)


def leave_pipe(stream: TextIO) -> None:
    """The reader has seen enough: what Python still wants to flush at its end goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _failed(error: OSError, *, debug: bool) -> int:
    """The system refuses something that nobody nearer could explain, such as a full disk under standard output."""
    _trace(error, debug=debug)
    leave_pipe(sys.stdout)
    say(": ".join(str(part) for part in (error.filename, error.strerror or error) if part is not None))
    return TROUBLE


def _trace(error: Exception, *, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exception(error)


def _internal(error: Exception, *, debug: bool) -> int:
    _trace(error, debug=debug)
    say(
        f"internal error: {type(error).__name__}: {error}"
        + ("" if debug else "; --debug shows the traceback")
    )
    return TROUBLE
