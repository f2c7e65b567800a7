"""Draw the Datasets page: freeze versions, list and compare them.

difference  Draw what differs between two versions.
freeze      Draw the freeze form and the warnings to accept.
put_aside   List skipped and flagged titles.
versions    Draw the frozen versions with their files.
"""
