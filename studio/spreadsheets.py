"""Cells that a spreadsheet shows as they are, and never computes."""

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula (OWASP, "CSV injection")."""


def safe_cell(text: str) -> str:
    """A text for a CSV cell; an apostrophe before what would be taken for a formula."""
    return f"'{text}" if text.startswith(_STARTS) else text
