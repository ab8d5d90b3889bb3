"""Everything that is made once and kept: Verilog, simulators, trained networks, netlists, compiled kernels.

One root holds all of it: ``$REPRISE_CACHE``, or else ``build`` in the folder in which the process began. Below the
root, a :class:`Store` for each kind of thing keeps one folder for each key. A key is the digest of all that the thing
is made of, so that what is found under a key is what would be made now. Nothing is ever brought up to date, because
other content has another key.

Any number of processes may use a root at once, and each of them may be killed at any moment:

- A thing is made in a folder beside its place, sealed with the digests of its files, and only then renamed. What has no
  seal, or does not agree with it, counts as not made.
- Whoever makes a thing holds a lock on its key, which the operating system takes back when the process dies. A second
  process waits for the lock and then finds that the thing has been made.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import RepriseError

SEAL = ".made"
"""Name of the file in an entry that lists the entry's other files with their digests."""

FAILED = ".failed"
"""Name of the file that marks the remains of an attempt that failed; those of one that was killed have no mark."""

ABANDONED = 3600.0
"""Seconds after which the remains of another key's failed attempt are removed; until then a log in them can be read."""

LOG = logging.getLogger("reprise.cache")

_START = time.time()


@functools.cache
def root() -> Path:
    """Return the folder of all that is made and kept.

    It is settled at the first call, so that a process that changes its working folder keeps its cache.
    """
    return Path(os.environ.get("REPRISE_CACHE") or "build").absolute()


def digest(*contents: object) -> str:
    """Return a key of 32 hexadecimal digits for texts, bytes and values that JSON can write; their order counts."""
    total = hashlib.sha256()
    for content in contents:
        data = content if isinstance(content, bytes) else json.dumps(content, sort_keys=True).encode()
        total.update(f"{type(content).__name__} {len(data)}\0".encode() + data)
    return total.hexdigest()[:32]


def source(path: Path) -> str:
    """Return the digest of a Python file that this process runs.

    A file that was written after the process began may be newer than the code that runs. For such a file the digest is
    random, so that this process takes nothing that other code made, and nobody takes what this process makes.
    """
    if path.stat().st_mtime > _START:
        return os.urandom(32).hex()
    return _digest_of(path)


@functools.cache
def sources(*folders: Path) -> str:
    """Return the digest of all Python files in some folders, each as :func:`source` takes it.

    What the code in these folders makes depends on this digest.
    """
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            found[path.relative_to(folder.parent).as_posix()] = source(path)
    return digest(found)


@dataclass(frozen=True)
class Entry:
    """A thing in the cache: the folder that holds its files, and whether it had to be made just now."""

    folder: Path
    made: bool


class Store:
    """All things of one kind, in ``root()/cache/KIND/KEY``.

    Parameters
    ----------
    kind : name of the kind's folder
    base : a root other than :func:`root`, for tests
    """

    def __init__(self, kind: str, base: Path | None = None):
        self.kind = kind
        self._base = base
        self._checked: set[str] = set()
        self._damaged: dict[str, Path] = {}

    @property
    def folder(self) -> Path:
        """The folder in which the entries lie."""
        return (self._base or root()) / "cache" / self.kind

    def find(self, key: str) -> Path | None:
        """Return the folder of an entry whose files are all as they were made, byte by byte, and else None.

        An entry is read as a whole once in a process. After that, it is trusted as long as its seal is there.
        """
        folder = self.folder / key
        if key in self._checked and (folder / SEAL).is_file():
            return folder
        try:
            sealed = json.loads((folder / SEAL).read_text())
            damaged = [name for name, expected in sealed.items() if not _is(folder / name, expected)]
        except (OSError, ValueError, AttributeError):
            damaged = [SEAL] if (folder / SEAL).exists() else []
            if not damaged:
                return None
        if damaged:
            self._damaged[key] = folder / damaged[0]
            return None
        self._checked.add(key)
        return folder

    def get(self, key: str, make: Callable[[Path], object], *, anew: bool = False) -> Entry:
        """Return the entry of a key, and make it first if there is none.

        Parameters
        ----------
        key : from :func:`digest`; a name for people may stand before the digest
        make : writes the entry's files into the folder that it is given
            The folder is renamed afterwards, so its files must not name it. When ``make`` raises, the folder stays
            until the next try, so that logs in it can be read.
        anew : make the entry even if it is there; the new one takes the place of the old one

        Raises
        ------
        RepriseError
            The cache cannot be written.
        """
        if not anew and (found := self.find(key)):
            return Entry(found, made=False)
        with self._locked(key):
            if not anew and (found := self.find(key)):
                return Entry(found, made=False)
            self._sweep(key)
            if damaged := self._damaged.pop(key, None):
                LOG.warning("%s is damaged: it is made anew", damaged)
            part = self._neighbour(key)
            try:
                make(part)
            except Exception as error:
                with contextlib.suppress(OSError):
                    (part / FAILED).touch()
                if isinstance(error, OSError) and error.filename is None and error.errno:
                    raise OSError(error.errno, error.strerror, str(part)) from error
                raise
            files = sorted(p for p in part.rglob("*") if p.is_file())
            seal = {p.relative_to(part).as_posix(): _digest_of(p) for p in files}
            (part / SEAL).write_text(json.dumps(seal, indent=1) + "\n")
            folder = self.folder / key
            if folder.exists():  # it is damaged, or it is to be replaced
                folder.rename(self._neighbour(key))
            part.rename(folder)
            self._sweep(key)
        self._checked.add(key)
        return Entry(folder, made=True)

    def _neighbour(self, key: str) -> Path:
        """Make an empty folder beside a key's place and return it; its name is ``KEY.RANDOM.part``."""
        part = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=self.folder))
        part.chmod(0o755)  # others may read an entry, but mkdtemp makes folders that only their owner can enter
        return part

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Hold the lock of a key.

        Lock files are never removed, because a file that others may be waiting for cannot be deleted safely.
        """
        try:
            (self.folder / ".locks").mkdir(parents=True, exist_ok=True)
            file = (self.folder / ".locks" / key).open("a")
        except OSError as error:
            raise RepriseError(
                field="the cache",
                rule="a folder that can be written",
                value=str(self.folder),
                remedy=f"{error.strerror}; set REPRISE_CACHE to another one",
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _sweep(self, key: str) -> None:
        """Remove the folders that killed or failed attempts left behind.

        Those of ``key``, whose lock the caller holds, go at once. So do those of other keys whose maker was killed;
        where it failed, a log may be wanted, and they go when they are old. A compiler that a killed process had
        started may still write into such a folder. The folder has a name of its own, so nothing else is harmed, and
        what cannot be removed now goes at the next try.
        """
        for part in self.folder.glob("*.part"):
            owner = part.name.rsplit(".", 2)[0]
            with contextlib.suppress(OSError):
                if owner == key:
                    shutil.rmtree(part, ignore_errors=True)
                elif not (part / FAILED).exists() or time.time() - part.stat().st_mtime > ABANDONED:
                    with (self.folder / ".locks" / owner).open("a") as lock:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(part, ignore_errors=True)


def _is(path: Path, expected: object) -> bool:
    try:
        return _digest_of(path) == expected
    except OSError:
        return False


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
