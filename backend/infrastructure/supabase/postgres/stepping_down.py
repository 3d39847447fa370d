"""A tiny program that gives up root's rights, ties its life to its parent's, then becomes the command it was given.

    python stepping_down.py <uid>:<gid>|- <parent's pid>|- <command> ...

It is run with `-I -S` and knows the standard library only. Doing this between fork and exec of a process with threads
could deadlock; a program of its own can't.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(user: str, parent: str, *command: str) -> None:
    libc = ctypes.CDLL(None)
    if user != "-":
        uid, gid = (int(part) for part in user.split(":"))
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    if parent != "-" and sys.platform == "linux":
        # Changing the user clears this setting, so it comes last. SIGINT is Postgres's fast shutdown.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("the parent was gone before the start")
    if command[0] == "can-reach":
        sys.exit(first_closed_folder(command[1]))
    os.execv(command[0], command)  # noqa: S606  # the command comes from our own code


def first_closed_folder(path: str) -> str | None:
    """The first folder on the way to `path` that this user can't pass through, as the exit message."""
    parts = path.split(os.sep)
    for depth in range(2, len(parts) + 1):
        folder = os.sep.join(parts[:depth])
        if not os.access(folder, os.X_OK):
            return folder
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
