"""Score a model's predictions, and lead from each error back to its title.

alignment       Join evaluations by title, and find the near-duplicate groups of their titles.
baselines       Train two cheap baselines that a language model has to beat: majority and TF-IDF.
compared        Load evaluations and compare them: what the command, the page and the report share.
comparison      Compare evaluations on the same titles: what was fixed, what broke, is it more than chance.
entries         List and find what can be compared: an evaluation, or several seeds of one training.
feedback        Requeue the titles of wrong predictions for labelling.
foreign_answers  Read the answers of other programs: LLaMA-Factory, OpenAI batch output, tables.
paired          Test and estimate paired differences: exact McNemar, cluster bootstrap, Holm.
planning        Say what an evaluation can tell, before it runs and beside its score.
power           Compute what an evaluation can tell: exact power, the smallest visible difference.
prediction_import  Import predictions of other programs as an evaluation; export those of any run.
predictions     Read the predictions of an evaluation by columns; whole rows only where they are shown.
report          Write a report: one self-contained HTML file of an evaluation or a comparison.
sample_answers  Compare what people answered to the bundled titles with our answers.
scores          Score predictions: accuracy, F1 and confusion first, ROUGE and BLEU beside them.
seeds           Compare groups of runs that differ in the seed alone: mean, spread, hierarchical bootstrap.
training_rows   Find the training rows nearest to a title: what a model was taught about it.
verdicts        State the verdict of a comparison: four codes with arguments, and their sentences.
wear            Count how many comparisons an evaluation set has served.
"""
