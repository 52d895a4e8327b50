"""HTTP servers: one connection each, with a one-line reason for every failure, and no secret in any record.

address      a server's URL, checked
key          what is secret, where it comes from, and how it is kept out of what a server says
problems     a server's error, in any of the usual forms → one line; the outcome of a turn that it ends
events       bytes → server-sent events
"""
