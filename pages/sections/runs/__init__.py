"""Draw the Runs page: filters, the table of all runs, one run beside others, the trash.

filters  Draw the filters and the order of the list; the address keeps them.
listing  Draw the table of the runs that were found, and the choice of one.
one_run  Draw one run: curves, what differs from others, settings in full, name and tags.
trash    Draw the trash: restore a run, or delete it for good.
"""
