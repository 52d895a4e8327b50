"""`python -m firstpacket` is the console script `bench`, also called `firstpacket`."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the current folder: a file there, such as numpy.py, must not hide a library

from firstpacket.bench.cli import main

if __name__ == "__main__":
    main()
