"""Draw the Label page: one title at a time, by a digit or with a think chain.

actions     Offer the next title; label, skip, flag and undo.
chain_mode  Label with a think chain, linted while it is typed.
hints       Draw a suggestion, and the rule for a close call.
put_aside   Draw skip and flag with their reasons.
quick_mode  Label with one press.
side_panel  Draw pace, recent decisions and guidelines beside the title.
title_card  Draw the title, its actions, and an empty queue.
"""
