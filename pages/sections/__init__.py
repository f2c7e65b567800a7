"""What the pages draw, one package a page; a page's sections belong to that page alone.

check     Choose a file, read its problems, edit rows, repair a copy, fill the label queue.
compare   Choose runs, read the verdict, and the titles behind every number.
datasets  Freeze, list and compare versions; list what was put aside.
drafts    Set up a teacher's endpoint, start and watch its runs.
evaluate  Choose a run, read its numbers and its confusion matrix, evaluate again.
export    Start an export, and read the proofs of those that there are.
guides    Choose a guide and draw it.
home      Show the loop and its next step, import titles, list and undo imports.
label     Offer titles, label them quickly or with a think chain, put them aside.
models    Download models, list them, show one in detail, set where they come from.
pairs     Filter preference pairs, count them, freeze them.
quality   Show coverage and the findings of the quality scan.
release   Judge a candidate at a gate, open a sealed set, sign, go back.
review    Show a case with its answers, and decide it.
runs      Filter all runs, list them, show one beside others, empty the trash.
team      Show pace, people, agreement, gold titles, settings and suggestions.
titles    Search titles, and edit the selected ones in bulk.
train     Choose model, data and settings; estimate, tune, start and watch runs.
try_it    Choose a model, classify titles with it, chat with it.
"""
