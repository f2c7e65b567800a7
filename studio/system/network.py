"""Recognize loopback addresses, and open HTTP to them past any proxy."""

import urllib.request

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names of this machine, for which a proxy, an API key or encryption is beside the point."""

open_directly = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
"""As `urllib.request.urlopen`, without the proxies that the environment names."""


def is_loopback(host: str | None) -> bool:
    """Return whether a host name is a loopback name."""
    return host in LOOPBACK
