"""Everything that is made once and kept: Verilog, simulators, trained networks, netlists, compiled kernels.

One root holds it all: ``$REPRISE_CACHE``, else ``build`` in the folder in which the process began. Below it a
:class:`Store` per kind of thing keeps one folder per key, and a key is the digest of all that the thing is made of:
what is found under a key is what would be made. Nothing is ever brought up to date: other content has another key.

Any number of processes may use a root at once, and each may be killed at any moment:

- A thing is made in a neighbour of its place, sealed with the digests of its files, and only then renamed: what has no
  seal, or does not agree with it, was not made.
- Whoever makes a thing holds a lock on its key, which the operating system takes back when the process dies. A second
  process waits and then finds the thing made.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import RepriseError

SEAL = ".made"
"""File of an entry that names its files, with their digests."""

ABANDONED = 3600.0
"""Seconds after which what another key's maker left behind is swept away (a tool's log may lie in it until then)."""

_START = time.time()


@functools.cache
def root() -> Path:
    """The folder of all that is made and kept. Settled once: a process that changes its folder keeps its cache."""
    return Path(os.environ.get("REPRISE_CACHE") or "build").absolute()


def digest(*contents: object) -> str:
    """A key, 32 hexadecimal digits, of texts, bytes, and values that JSON can write (in this order)."""
    total = hashlib.sha256()
    for content in contents:
        data = content if isinstance(content, bytes) else json.dumps(content, sort_keys=True).encode()
        total.update(f"{type(content).__name__} {len(data)}\0".encode() + data)
    return total.hexdigest()[:32]


def source(path: Path) -> str:
    """Digest of a Python file that this process runs.

    A file that was written after the process began may be newer than the code that runs. Then the digest is like no
    other: nothing that other code made is taken, and what this code makes is taken by nobody.
    """
    if path.stat().st_mtime > _START:
        return os.urandom(32).hex()
    return _digest_of(path)


@functools.cache
def sources(*folders: Path) -> str:
    """Digest of all Python files in some folders (see :func:`source`): what the things that they make depend on."""
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
    kind : name of the kind's folder.
    base : another root than :func:`root`, for tests.
    """

    def __init__(self, kind: str, base: Path | None = None):
        self.kind = kind
        self._base = base
        self._checked: set[str] = set()

    @property
    def folder(self) -> Path:
        """Where the entries lie."""
        return (self._base or root()) / "cache" / self.kind

    def find(self, key: str) -> Path | None:
        """The folder of an entry, if it is there and undamaged: every file is as it was made, byte by byte.

        An entry is read as a whole once per process and then believed.
        """
        folder = self.folder / key
        if key in self._checked and (folder / SEAL).is_file():
            return folder
        try:
            sealed = json.loads((folder / SEAL).read_text())
            whole = all(_digest_of(folder / name) == expected for name, expected in sealed.items())
        except (OSError, ValueError, AttributeError):
            return None
        if whole:
            self._checked.add(key)
        return folder if whole else None

    def get(self, key: str, make: Callable[[Path], object], *, anew: bool = False) -> Entry:
        """The entry of a key, made if there is none.

        Parameters
        ----------
        key : of :func:`digest`; a name for people may stand before it.
        make : writes the entry's files into the folder that it is given. The folder is renamed afterwards: the files
            must not name it. When ``make`` raises, the folder stays until the next try, so that logs can be read.
        anew : make it even if it is there; the new one takes the old one's place.

        Raises
        ------
        RepriseError
            The cache can't be written.
        """
        if not anew and (found := self.find(key)):
            return Entry(found, made=False)
        with self._locked(key):
            if not anew and (found := self.find(key)):
                return Entry(found, made=False)
            self._sweep(key)
            part = self._neighbour(key)
            make(part)
            files = sorted(p for p in part.rglob("*") if p.is_file())
            seal = {p.relative_to(part).as_posix(): _digest_of(p) for p in files}
            (part / SEAL).write_text(json.dumps(seal, indent=1) + "\n")
            folder = self.folder / key
            if folder.exists():  # damaged, or to be replaced
                folder.rename(self._neighbour(key))
            part.rename(folder)
            self._sweep(key)
        self._checked.add(key)
        return Entry(folder, made=True)

    def _neighbour(self, key: str) -> Path:
        """A new empty folder beside a key's place, ``KEY.RANDOM.part``."""
        part = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=self.folder))
        part.chmod(0o755)  # mkdtemp's folders are its user's alone
        return part

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Hold the lock of a key. Lock files stay: a file that others may be waiting for can't be deleted safely."""
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
        """Remove what killed or failed makers left: of ``key``, whose lock is held, at once; of others when it is old.

        A child of a killed maker, a compiler, may still write into its folder. That folder has a name of its own, so
        nothing else is harmed, and what can't be removed now goes at the next try.
        """
        for part in self.folder.glob("*.part"):
            owner = part.name.rsplit(".", 2)[0]
            with contextlib.suppress(OSError):
                if owner == key:
                    shutil.rmtree(part, ignore_errors=True)
                elif time.time() - part.stat().st_mtime > ABANDONED:
                    with (self.folder / ".locks" / owner).open("a") as lock:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(part, ignore_errors=True)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
