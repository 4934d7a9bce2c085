"""What sends runs that were submitted to a database: `contactsdk worker`, on any machines.

A worker (`worker.py`) takes jobs from procrastinate (`engine_loop.py`), each of which sends one
slice of one partition (`slices.py`); the sweep (`sweep.py`) makes the jobs that are missing. It
needs the extra `workers`.
"""
