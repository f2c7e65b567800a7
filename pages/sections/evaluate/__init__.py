"""Draw the Evaluate page: scores, the confusion matrix, another evaluation.

answering_options  Draw how answers are written: length, sampling, several samples.
behaviour          Draw the behavioural tests: how often harmless changes flip an answer.
category_errors    Lead from the numbers of a category to its titles, its cell and its causes.
causes             Draw the causes of errors, what can be done about each, and what paid.
chains             Draw answers with a think chain against those without, and what chains are like.
engine             Draw what answered in an evaluation.
forgetting         Draw the forgetting probe: base against tuned, items lost and gained.
influence          Draw which training rows taught wrong answers, and suspected training labels.
matrix             Draw the confusion matrix and the titles in its cells.
new_evaluation     Start another evaluation and draw its progress.
numbers            Choose a scored run and draw its numbers.
pushers            Draw the training rows that pushed for wrong answers and against them.
refusal            Draw calibrated confidence, and the choice of a threshold for refusing.
refusal_charts     Chart calibration, and coverage against accuracy.
rows               Draw the rows of an evaluation by their tags.
scaling            Draw the learning curve of a recipe, and what more rows would bring.
titles             Draw titles with answers, chains and tags; send some back.
views              Draw the choice of what is shown of an evaluation.
"""
