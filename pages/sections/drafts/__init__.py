"""Draw the Teacher drafts page: an endpoint, its runs, what they cost.

endpoint  Draw endpoint, key, settings and estimate; start a run.
runs      Draw the runs, live while one goes on.
"""
