"""The process that outlives us, to end in order what we have started.

It is started once, as `python -IS lifeline.py PARENT`, so it imports nothing of ours. It is told
over its standard input what runs, a line each: `+GROUP` for a group of processes that has begun,
`!GROUP` for one that was interrupted, `-GROUP` for one that has ended. When its input ends, or its
parent has changed, its starter is dead: every group that still runs and was not interrupted yet is
interrupted once. A parent-death signal of the kernel would be a second interrupt for a Terraform
that has had one, and Terraform gives up its state on a second one; macOS has no such signal.
"""

import os
import select
import signal
import sys

LOOK_SECONDS = 2.0  # how often the parent is looked at: a forked child of its may hold our input


def follow(parent: int) -> "set[int]":
    """Take in what is told until the starter is dead, and give what it leaves running."""
    running: set[int] = set()
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], LOOK_SECONDS)
        told = os.read(0, 4096) if ready else b""
        if (ready and not told) or (not ready and os.getppid() != parent):
            return running
        *lines, pending = (pending + told).split(b"\n")
        for line in lines:
            group = int(line[1:])
            (running.add if line[:1] == b"+" else running.discard)(group)


def main(arguments: "list[str]") -> int:
    """Wait for the starter's death, then interrupt what it has left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # we end when our starter has
    for group in follow(int(arguments[0])):
        interrupt(group)
    return 0


def interrupt(group: int) -> None:
    """Ask a group of processes to end, unless it has."""
    try:
        os.killpg(group, signal.SIGINT)
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
