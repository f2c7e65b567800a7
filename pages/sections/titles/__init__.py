"""Draw the Titles page: search, and bulk edits with their undo.

bulk_edits  Edit the selected titles; list and undo bulk edits.
results     Draw the search form and a page of titles.
"""
