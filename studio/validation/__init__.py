"""Check rows before anyone trains on them: problems, duplicates, safe repairs. Pure.

_boilerplate  Find think chains made of sentences that many others share.
check         Check files and folders row by row.
codes         Define the codes of `check`: meaning, severity, who repairs it.
duplicates    Find duplicate and near-duplicate titles among checked rows.
problem_log   Log problems however many: counted as they come, on disk beyond a few.
repair        Write a repaired copy: every safe repair made, everything else as it was.
rows          Judge one raw row against the scheme: title, category, problems.
"""
