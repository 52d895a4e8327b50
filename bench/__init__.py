"""The harness."""

if __name__ == "bench":
    raise ImportError("In a checkout of firstpacket this folder is imported as firstpacket.bench.")
