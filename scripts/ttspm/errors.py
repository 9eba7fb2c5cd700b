"""The one exception that is a message to the user rather than a fault of the package."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that the user can mend, told in one line.

    The text names the file, key or row and says what would be right. Entry points print it as
    ``error: ...`` and exit with 1; no traceback is shown.
    """
