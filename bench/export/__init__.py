"""Exports of a run; one small file per format."""
