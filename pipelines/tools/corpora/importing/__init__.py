"""`bench corpus import`: published data sets → a manifest and FLAC files, with a record of what was taken and why.

kinds, source (which files, which revision, which licence) → candidates (rows with ids, texts, answers) → plan (nothing
is written yet) → taking (sampling, sound) → write (manifest_lines, record), and lines for people.
"""
