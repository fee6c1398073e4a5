"""Child: one worker process, a socket to it, and how it died.

Messages are a length and as many bytes; an answer is one message, and one without bytes ends a task.  Nothing is
pickled.  Knows processes.  Does not know what is worked on.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from struct import Struct
from typing import Final, NoReturn, Self

from ctcp_forensics.archive.engine import Ended, Job, Work
from ctcp_forensics.archive.limits import keep_memory, limit_memory

LENGTH: Final = Struct(">I")
PIECE_LEN: Final = 1 << 18
FIRST_FREE_DESCRIPTOR: Final = 3
WAKING_S: Final = 60.0
"""To load a program over a slow network takes a few seconds."""
OBJECTS_BETWEEN_SWEEPS: Final = 100_000
"""See cli.ends: what is made of flows holds no cycles."""


class Line:
    """Messages over a socket."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._held = bytearray()

    def send(self, message: bytes) -> None:
        self.end.sendall(LENGTH.pack(len(message)) + message)

    def pieces(self) -> list[bytes] | None:
        """The messages that have come with the next bytes, perhaps none; None where the other end has gone."""
        try:
            piece = self.end.recv(PIECE_LEN)
        except ConnectionError:
            return None
        if not piece:
            return None
        self._held += piece
        return list(iter(self._next, None))

    def _next(self) -> bytes | None:
        if len(self._held) < LENGTH.size:
            return None
        end = LENGTH.size + LENGTH.unpack_from(self._held)[0]
        if len(self._held) < end:
            return None
        message = bytes(self._held[LENGTH.size : end])
        del self._held[:end]
        return message


# --- in the worker -------------------------------------------------------------------------------


def serve(end: socket.socket, work: Work) -> None:
    """Work on what comes until nothing more can come.  Ctrl-C is meant for who asks, not for who works."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_memory()
    line, waiting = Line(end), deque[bytes]()
    line.send(b"")  # it is awake
    while True:
        while not waiting:
            came = line.pieces()
            if came is None:
                return
            waiting.extend(came)
        for answer in work(waiting.popleft()):
            line.send(answer)
        line.send(b"")


def _live(end: socket.socket, work: Work, memory_limit: int | None) -> NoReturn:
    """All there is to a forked worker: it leaves without what the parent would do at its end."""
    status = 1
    try:
        close_all_but(end.fileno())
        limit_memory(memory_limit)
        serve(end, work)
        status = 0
    except ConnectionError:
        status = 0  # who asked has gone
    finally:
        os._exit(status)


def close_all_but(kept: int) -> None:
    """What the parent has open, above all its lock and the lines of other workers, must not outlive it here."""
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(FIRST_FREE_DESCRIPTOR, kept)
    os.closerange(kept + 1, highest)


def main(words: list[str]) -> None:
    """A worker that was started as a program: its socket and its memory limit are in `words`."""
    from ctcp_forensics.archive.task import work

    gc.set_threshold(OBJECTS_BETWEEN_SWEEPS)
    end = socket.socket(fileno=int(words[0]))
    limit_memory(int(words[1]) if words[1] else None)
    serve(end, work)


# --- and who asks it ------------------------------------------------------------------------------


class Child:
    """A worker and the task that it has."""

    def __init__(self, line: Line, pid: int) -> None:
        self.line = line
        self.pid = pid
        self.job: Job | None = None
        self.answers: list[bytes] = []
        self.heard_at = time.monotonic()
        self.is_awake = False
        """It has said so: from then on it is expected to answer in time."""

    @classmethod
    def forked(cls, work: Work, memory_limit: int | None) -> Self:
        """Warm: it has loaded what this process has.  Only while there is no other thread."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _live(theirs, work, memory_limit)
        theirs.close()
        return cls(Line(ours), pid)

    @classmethod
    def started(cls, memory_limit: int | None) -> Self:
        """A program of its own, whatever threads there are here."""
        import subprocess  # rarely

        ours, theirs = socket.socketpair()
        package = Path(__file__).parents[3]
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            [sys.executable, "-P", "-c", STARTED, str(theirs.fileno()), str(memory_limit or "")],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join((str(package), os.environ.get("PYTHONPATH", ""))),
            },
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        process.returncode = 0  # `buried` waits for it
        return cls(Line(ours), process.pid)

    def give(self, job: Job) -> None:
        self.job, self.answers, self.heard_at = job, [], time.monotonic()
        self.line.send(job.payload)

    def is_silent(self, patience_s: float) -> bool:
        """It has had a task, and has said nothing for longer than that, or than it may take to wake up."""
        silence = time.monotonic() - self.heard_at
        return self.job is not None and silence > (patience_s if self.is_awake else patience_s + WAKING_S)

    def hear(self) -> Ended | None:
        """Take what the worker says; the end of its task, where that is it."""
        came = self.line.pieces()
        if came is None:
            return self.buried()
        self.heard_at = time.monotonic()
        for message in came:
            if message:
                self.answers.append(message)
            elif self.is_awake:
                return self._ended(None)
            else:
                self.is_awake = True
        return None

    def buried(self) -> Ended:
        """What is left of its task when it is dead."""
        _, status = os.waitpid(self.pid, 0)
        self.line.end.close()
        return self._ended(how(os.waitstatus_to_exitcode(status)))

    def _ended(self, death: str | None) -> Ended:
        job, answers = self.job, self.answers
        self.job, self.answers = None, []
        return Ended(number=-1 if job is None else job.number, answers=answers, death=death)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def killed(self) -> Ended:
        self.kill()
        return self.buried()


STARTED: Final = "import sys; from ctcp_forensics.archive.engine.child import main; main(sys.argv[1:])"


def how(status: int) -> str:
    """A death in words."""
    if status == -signal.SIGALRM:
        return "killed at its time limit"
    return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
