"""What is said of direct models (the claims under test of the project), each against what a run measured.

Pure: figures in, verdicts out. Every verdict has a stated rule and rests on an interval; where a run cannot tell, the
verdict says so, and what would be needed.
"""
