"""Wrap files, locks and processes of the operating system. Knows no title and no run.

atomic      Write files atomically, and report a full disk in one way.
background  Start background processes, one of a kind in a workspace, on an inherited lock.
csv_export  Write CSV for spreadsheets: no formula injection, Chinese readable.
documents   Read files of unknown content: regular ones only, up to a size, with few kinds of errors.
jsonl       Append JSON Lines so that they survive a kill, and read those that are still appended to.
limited     Call a function in a process of its own, with a limit on its time and its memory.
locks       Acquire and test lock files (flock).
login       Look up the login name of the current user.
network     Recognize loopback addresses, and open HTTP to them past any proxy.
portions    Take a stream in portions.
ownership   Tell a process whether whoever it works for still lives.
processes   Start, probe and signal worker processes.
xlsx_export  Write a workbook of one sheet: texts stay texts.
"""
