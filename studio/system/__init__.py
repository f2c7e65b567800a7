"""Wrap files, locks and processes of the operating system. Knows no title and no run.

atomic      Write files atomically, and translate a full disk to one error.
csv_export  Write CSV for spreadsheets: no formula injection, Chinese readable.
jsonl       Read JSON Lines that a worker is still appending to.
locks       Acquire and test lock files (flock).
login       Look up the login name of the current user.
network     Recognize loopback addresses, and open HTTP to them past any proxy.
processes   Start, probe and signal worker processes.
"""
