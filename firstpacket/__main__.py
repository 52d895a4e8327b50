"""`python -m firstpacket` is the console script `bench`, also called `firstpacket`."""

from firstpacket.bench.cli import main

if __name__ == "__main__":
    main()
