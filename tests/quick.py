"""A retry policy for tests over real sockets, which should not wait long."""

from contactsdk import RetryPolicy

QUICK = RetryPolicy(base_s=0.001, max_wait_s=0.01)
