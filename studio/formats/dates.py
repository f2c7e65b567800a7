"""Parse dates of publication in the many ways that tables write them."""

import re
from datetime import date, datetime

_DAY = re.compile(
    r"(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?(?P<rest>.*)",
    re.DOTALL,
)
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<rest>)")
_TIME = re.compile(r"[T\s]*(?P<hour>\d{1,2})[:时点](?P<minute>\d{1,2})(?:[:分](?P<second>\d{1,2}))?")


def read_date(text: str) -> str | None:
    """Parse a date into ISO 8601: 2024-05-01, or 2024-05-01T08:30:00 with a time; None if it is neither.

    Whatever follows, such as a time zone, is ignored.
    """
    match = _COMPACT.fullmatch(text.strip()) or _DAY.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day = (int(match[part]) for part in ("year", "month", "day"))
    time = _TIME.match(match["rest"])
    try:
        if time is None:
            return date(year, month, day).isoformat()
        return datetime(
            year, month, day, int(time["hour"]), int(time["minute"]), int(time["second"] or 0)
        ).isoformat()
    except ValueError:
        return None
