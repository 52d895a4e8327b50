"""Published claims about direct models, which the project tests, each against what a run measured.

Pure: figures in, verdicts out. Every verdict has a stated rule and is based on an interval; where a run is no test, the
verdict says so, and what would be needed.
"""
