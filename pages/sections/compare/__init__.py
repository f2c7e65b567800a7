"""Draw the Compare page: choose runs, the verdict, and the titles behind every number.

categories  Draw the comparison of each category.
changes     List what was fixed and what broke.
choices     Choose the runs that are compared.
files       Import answers of other programs, and offer those of the compared runs as files.
matrix      Draw the change of the confusion matrix, and the titles of a cell.
overview    Draw the verdict, its numbers, what the titles can tell, and several runs in columns.
titles      List titles, and draw one with both think chains, its history and its nearest training rows.
"""
