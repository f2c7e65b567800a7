"""Score a model's predictions, and lead from each error back to its title.

against_start      Compare a preference training with the checkpoint that it started from.
alignment          Join evaluations by title, and find the near-duplicate groups of their titles.
attribution        Attribute errors to causes: a decision list over tags, each with its action.
baselines          Train two cheap baselines that a language model has to beat: majority and TF-IDF.
behaviour          Test behaviour: changes of a title that change no category, and the flips they cause.
behaviour_runs     Start behavioural tests as a job, and read what flipped.
calibration        Calibrate confidence, and measure what refusing uncertain answers is worth.
chain_quality      Compare answers with and without a think chain; measure how faithful chains are.
cohorts            Find cohorts in which errors gather, corrected for the search.
compared           Load evaluations and compare them: what the command, the page and the report share.
comparison         Compare evaluations on the same titles: what was fixed, what broke, is it more than chance.
entries            List and find what can be compared: an evaluation, or several seeds of one training.
error_actions      Act on errors by their cause, remember it, and tell later what paid.
export_proof       Put the proof of an export into words and a table.
feedback           Requeue the titles of wrong predictions for labelling.
foreign_answers    Read the answers of other programs: LLaMA-Factory, OpenAI batch output, tables.
forgetting         Probe what fine-tuning cost in knowledge, instructions, arithmetic and refusals.
homophones         List characters of the same sound.
influence_runs     Start the influence of training rows on wrong answers as a job, and read it.
names              List names of places and companies, by type.
nearest_rows       Find the training rows nearest to a title: what a model was taught about it.
neighbours         Find the nearest training rows of a title: TF-IDF over character grams.
paired             Test and estimate paired differences: exact McNemar, cluster bootstrap, Holm.
planning           Say what an evaluation can tell, before it runs and beside its score.
power              Compute what an evaluation can tell: exact power, the smallest visible difference.
preference         Test which of two models people prefer: exact sign test, interval, votes still needed.
prediction_import  Import predictions of other programs as an evaluation; export those of any run.
predictions        Read the predictions of an evaluation by columns; whole rows only where they are shown.
refusal            Calibrate a run, and store below which confidence its model refuses to answer.
report             Write a report: one self-contained HTML file of an evaluation or a comparison.
row_tags           Gather what the workspace knows about the rows of an evaluation, tag them, keep the result.
sample_answers     Compare what people answered to the bundled titles with our answers.
scaling            Forecast from a learning curve what more training rows would bring.
scores             Score predictions: accuracy, F1 and confusion first, ROUGE and BLEU beside them.
seeds              Compare groups of runs that differ in the seed alone: mean, spread, hierarchical bootstrap.
tags               Tag rows: what is special about a title, its answer, its neighbours, its other answers.
training_rows      Read the rows that a run was trained on.
verdicts           State the verdict of a comparison: four codes with arguments, and their sentences.
wear               Count how many comparisons an evaluation set has served.
"""
