"""Start one program, wait for it, and print its time and peak memory as JSON.

    python -I -S launch.py OUTPUT ERRORS MEMORY_LIMIT TIME_LIMIT PROGRAM [ARGUMENT…]

Knows one child.  Runs as a process of its own and imports next to nothing, because Linux counts what the
starting process held in memory towards its child's peak: nothing below `floor_kb` can be told apart.
The peak is that of the largest process among the program and its own children that it waited for.
"""

import json
import os
import resource
import signal
import sys
import time


def _floor_kb() -> int:
    with open("/proc/self/status") as status:
        return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)


def run(output: str, errors: str, memory_limit: int, time_limit: int, argv: list[str]) -> dict[str, object]:
    """`memory_limit` in bytes of address space, `time_limit` in seconds."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit, memory_limit))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, errors, flags, 0o600),
    ]
    floor_kb = _floor_kb()
    began = time.perf_counter()
    child = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions, setpgroup=0)
    timed_out = False

    def give_up(signal_number: int, frame: object) -> None:
        nonlocal timed_out
        timed_out = True
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(time_limit)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    signal.alarm(0)
    return {
        "seconds": seconds,
        "peak_kb": usage.ru_maxrss,
        "floor_kb": floor_kb,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "status": os.waitstatus_to_exitcode(status),
        "timed_out": timed_out,
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])))
