"""``python -m remamber`` is ``remamber-bench``."""

import sys

from remamber.cli import main

if __name__ == "__main__":
    sys.exit(main())
