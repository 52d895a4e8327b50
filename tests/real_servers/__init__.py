"""Servers that nobody here wrote, each in an environment of its own: `make real-servers`.

`environments/` has what each is made of, `environment.py` makes them, `process.py` starts and ends a server, and one
file for each server has its command. The tests here are marked `real_server`, and `make test` leaves them out.
"""
