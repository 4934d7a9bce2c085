"""Runs in a PostgreSQL database that any number of workers send, on any machines.

A run is submitted (`feeder.py`) in partitions by the keys of its contacts. Whoever has the lease of
a partition sends it (`partition.py`). `SubmittedRun` shows how far a run has come, and stops it.
What workers do is in `contactsdk/workers/`. It needs the extra `postgres`.
"""

from contactsdk.distributed.partition import Partition
from contactsdk.distributed.settings import RunSettings
from contactsdk.distributed.submitted_run import RunProgress, SubmittedRun
from contactsdk.journal.postgres_partition import PartitionTakenError

__all__ = ["Partition", "PartitionTakenError", "RunProgress", "RunSettings", "SubmittedRun"]
