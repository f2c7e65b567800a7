"""Draw the Check page: validate a file and repair a copy of it.

groups      Draw the problems, counted, filtered and grouped by code.
queue       Send doubtful rows to the label queue, or import all rows.
repair      Repair a copy and draw every changed row before and after.
row_editor  Draw one row to edit, and what is still wrong with it.
source      Choose what is checked, and keep the result for the session.
"""
