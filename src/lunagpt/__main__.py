"""`python -m lunagpt …`: the same as `luna …`."""

import sys

from lunagpt.cli import main

if __name__ == "__main__":
    sys.exit(main())
