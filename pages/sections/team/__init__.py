"""Draw the Team page: people, pace, agreement, gold titles, settings.

agreement    Draw inter-annotator agreement.
charts       Chart pace, coverage and agreement.
gold         Draw everybody's accuracy on gold titles, and their list.
people       Draw everybody's pace, and people with their roles.
settings     Draw the label settings.
suggestions  Draw the state of the suggestion model.
"""
