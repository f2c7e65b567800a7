"""Score a model's predictions, and lead from each error back to its title.

attribution     Attribute errors to causes: a decision list over tags, each with its action.
baselines       Train two cheap baselines that a language model has to beat: majority and TF-IDF.
behaviour       Test behaviour: changes of a title that change no category, and the flips they cause.
behaviour_runs  Start behavioural tests as a job, and read what flipped.
calibration     Calibrate confidence, and measure what refusing uncertain answers is worth.
chain_quality   Compare answers with and without a think chain; measure how faithful chains are.
cohorts         Find cohorts in which errors gather, corrected for the search.
error_actions   Act on errors by their cause, remember it, and tell later what paid.
feedback        Requeue the titles of wrong predictions for labelling.
homophones      List characters of the same sound.
names           List names of places and companies, by type.
neighbours      Find the nearest training rows of a title: TF-IDF over character grams.
refusal         Calibrate a run, and store below which confidence its model refuses to answer.
row_tags        Gather what the workspace knows about the rows of an evaluation, tag them, keep the result.
sample_answers  Compare what people answered to the bundled titles with our answers.
scaling         Forecast from a learning curve what more training rows would bring.
scores          Score predictions: accuracy, F1 and confusion first, ROUGE and BLEU beside them.
tags            Tag rows: what is special about a title, its answer, its neighbours, its other answers.
training_rows   Read the rows that a run was trained on.
"""
