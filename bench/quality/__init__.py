"""Quality of transcripts and replies: word errors, the sound of a reply, and results of other programs."""
