"""Old command lines such as ``python -m cosim run``: for one release they say their new name and do nothing else.

The folders of the checkout's top level are rooms of the package ``reprise`` now. ``python -m cosim`` there runs a file
that stands outside the package, so those ``__main__.py`` files import this module by its full name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

MISTAKE = 2
"""The exit code of every mistake in a command line."""


def say(room: str, names: Mapping[str, str]) -> None:
    """Say on stderr what ``python -m ROOM COMMAND`` is called now, and end with exit code 2.

    Parameters
    ----------
    room : the folder that was run
    names : the new command for every old one; under "" stands what is said for anything else
    """
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    known = given if given in names else ""
    old = f"python -m {room} {known}".rstrip()
    print(f"error: `{old}` is now `{names[known]}`", file=sys.stderr)
    raise SystemExit(MISTAKE)
