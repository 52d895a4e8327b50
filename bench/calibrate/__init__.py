"""Holds the harness against a pipeline that knows what it did: `bench calibrate`."""
