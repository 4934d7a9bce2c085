"""Figures about contactsdk, each measured by a command that stands at the top of its file."""
