"""Errors that a user can act on."""

from __future__ import annotations


class SlagsegError(ValueError):
    """Something a user handed in, or asked for, cannot be used.

    The message is one clear paragraph: it names the file or value, says what is
    wrong with it and what would be right. The terminal prints it and ends with
    exit code 2; the window shows it in a notice. Anything else that is raised
    is a fault of the program.
    """


class CancelledError(Exception):
    """A long step met its cancel token and stopped; what it had stored is whole."""


__all__ = ["CancelledError", "SlagsegError"]
