"""Runs that many processes send together, on any machines (extra `workers`)."""
