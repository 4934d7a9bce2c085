"""Workers, which send the runs that were submitted to a database: `contactsdk worker`.

A worker (`worker.py`) takes jobs from procrastinate (`engine_loop.py`). Each job sends one slice of
one partition (`slices.py`). The sweep (`sweep.py`) queues the jobs that are missing. This package
needs the extra `workers`.
"""
