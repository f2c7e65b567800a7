"""Know the people of a workspace: roles, settings, pace, agreement, gold titles.

agreement       Compute inter-annotator agreement: percent, Cohen's and Fleiss' kappa, with intervals.
agreement_data  Read the answers that agreement is measured on, and export them.
gold            Manage gold titles, and measure each person's accuracy on them.
people          Manage people: name, role, colour.
progress        Count pace and coverage: per person, per day, per category.
rights          Check permissions: the one list of rights by role, and the one check.
settings        Load and save the label settings, with author and time of each change.
"""
