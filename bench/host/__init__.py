"""What the operating system says: counters around turns, and the facts of a machine. Read only; knows no benchmark."""
