"""Draw the Titles page: search, one title opened, and bulk edits with their undo.

address     Keep the filters, the order and the title that is open in the address.
bulk_edits  Edit the selected titles; list and undo bulk edits.
one_title   Draw one title: where it stands, its history, and the ways to change it.
results     Draw the search form and a page of titles.
"""
