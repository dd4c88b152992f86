"""The way in: `luna …`, `python -m lunagpt.cli …` and `python -m lunagpt …`.

Whoever presses Ctrl-C while the program is still loading must see no traceback either, so what takes time is
imported inside; the commands are in `lunagpt.commands.program`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the user typed, by the file that was started.
_MODULES = {"cli.py": "python -m lunagpt.cli", "__main__.py": "python -m lunagpt"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted.
    """
    try:
        from lunagpt.commands.program import app, run

        return run(app, _MODULES.get(os.path.basename(sys.argv[0]), "luna"), arguments)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the shell's next line does not begin behind "^C"
        return 130


if __name__ == "__main__":
    sys.exit(main())
