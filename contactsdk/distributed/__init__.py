"""Runs in a PostgreSQL database that any number of workers send, on any machines.

`feeder.py` writes a submitted run to the database, in partitions by the keys of its contacts. The
worker that holds the lease of a partition sends it (`partition.py`). `SubmittedRun` shows the
progress of a run and stops it. The workers themselves are in `contactsdk/workers/`. This package
needs the extra `postgres`.
"""

from contactsdk.distributed.partition import Partition
from contactsdk.distributed.settings import RunSettings
from contactsdk.distributed.submitted_run import RunProgress, SubmittedRun
from contactsdk.journal.postgres_partition import PartitionTakenError

__all__ = ["Partition", "PartitionTakenError", "RunProgress", "RunSettings", "SubmittedRun"]
