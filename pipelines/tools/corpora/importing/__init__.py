"""`bench corpus import`: published data sets → a manifest and FLAC files, with a record of what was taken and why."""
