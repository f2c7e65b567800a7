"""Check rows before anyone trains on them: problems, duplicates, safe repairs. Pure.

_boilerplate  Detect boilerplate think chains: clauses that many others share.
check         Validate files and folders row by row.
codes         Define the codes of `check`: meaning, severity, who repairs it.
duplicates    Find duplicate and near-duplicate titles among checked rows.
problem_log   Log any number of problems: counted as they come, on disk beyond a few.
repair        Write a repaired copy: every safe repair made, everything else as it was.
rows          Validate raw rows against the scheme: title, category, problems.
"""
