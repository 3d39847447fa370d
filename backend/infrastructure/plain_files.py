"""Plain files and folders alone: no link that leads elsewhere, no pipe that never ends, nothing that is another's.

All that a backup reads and writes is opened here.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from backend.domain.backups import BackupRefused

PART: Final = ".part"
_NOT_A_FOLDER: Final = (errno.ENOTDIR, errno.ELOOP)


class NotPlain(OSError):
    """What stands there is a link, a pipe, a socket or a device."""

    def __init__(self, path: Path) -> None:
        kind = "a link" if path.is_symlink() else "neither a file nor a folder"
        super().__init__(errno.EINVAL, f"it is {kind}, and only plain files are read", str(path))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """To read it. Raises NotPlain, and never waits for somebody to write."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO):
            raise NotPlain(path) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotPlain(path)
    with open(handle, "rb") as file:
        yield file


@contextlib.contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, for nobody else to read; what was written is on the disk when the block ends."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes, *, for_owner_of_folder: bool = False) -> None:
    """Under its name all of it, or nothing."""
    part = path.with_name(path.name + PART)
    with private_file(part) as file:
        if for_owner_of_folder and os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        file.write(content)
    part.rename(path)


def make_private(folder: Path) -> None:
    """The folder, and those above it that are missing, for nobody else to look into."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def hold_own(folder: Path) -> int:
    """A handle on a folder of ours alone, made where it is missing; it is held until the handle is closed.

    Raises BackupRefused for a link and for what others could have filled, BlockingIOError while another holds it.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as problem:
        if problem.errno in _NOT_A_FOLDER:
            raise _not_ours(folder, "is a link or a file") from None
        raise
    try:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid():
            raise _not_ours(folder, "belongs to another user")
        if found.st_mode & 0o022:
            raise _not_ours(folder, "can be written by other users")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(handle)
        raise
    return handle


def remove_strange(folder: Path) -> None:
    """Take out of our own folder whatever is not a plain file or folder of ours that nobody else may open."""
    for entry in list(os.scandir(folder)):
        found = entry.stat(follow_symlinks=False)
        is_ours = found.st_uid == os.geteuid() and not found.st_mode & 0o077
        if is_ours and stat.S_ISDIR(found.st_mode):
            remove_strange(Path(entry.path))
        elif not (is_ours and stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
            remove(Path(entry.path))


def remove(path: Path) -> None:
    """A folder with all that is in it, or a file, or a link and not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def walk(
    root: Path, is_wanted: Callable[[Path], bool] = lambda path: True, *, first_may_link: bool = False
) -> Iterator[tuple[Path, list[str]]]:
    """Each folder by its path below the root, with the names of all in it that is no folder, links among them.

    What cannot be listed raises OSError; what goes meanwhile is passed over. `first_may_link`: a folder on the first
    level may be a link to another disk.
    """
    folders = [Path()]
    while folders:
        here, names = folders.pop(), []
        with contextlib.suppress(FileNotFoundError), os.scandir(root / here) as found:
            for entry in sorted(found, key=lambda entry: entry.name, reverse=True):
                may_link = first_may_link and not here.parts
                if not is_wanted(here / entry.name):
                    continue
                if entry.is_dir(follow_symlinks=may_link):
                    folders.append(here / entry.name)
                else:
                    names.append(entry.name)
        yield here, names[::-1]


def files_below(root: Path) -> list[str]:
    return sorted(str(here / name) for here, names in walk(root) for name in names)


def size_below(root: Path, is_wanted: Callable[[Path], bool] = lambda path: True) -> int:
    """The bytes of all files, those of a folder that is a link on the first level among them."""
    size = 0
    for here, names in walk(root, is_wanted, first_may_link=True):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += (root / here / name).lstat().st_size
    return size


def free_bytes(path: Path) -> int:
    """What we may still write there, be it there already or not."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def really(path: Path) -> Path:
    """Where it is, whatever links and `..` lead there; a link that leads to itself stays as it is."""
    return Path(os.path.realpath(path))


def lies_in(path: Path, folder: Path) -> bool:
    """By where both really are, whatever links and `..` lead there."""
    real = really(path)
    return real.is_relative_to(really(folder)) or any(_is_same(above, folder) for above in real.parents)


def _is_same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return False


def _not_ours(folder: Path, what: str) -> BackupRefused:
    return BackupRefused(f"{folder} {what}. Look at it and remove it, or name another folder.")
