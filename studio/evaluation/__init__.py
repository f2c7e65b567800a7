"""Score a model's predictions, and lead from each error back to its title.

baselines       Train two cheap baselines that a language model has to beat: majority and TF-IDF.
feedback        Requeue the titles of wrong predictions for labelling.
paired          Test and estimate paired differences: exact McNemar, cluster bootstrap, Holm.
power           Compute what an evaluation can tell: exact power, the smallest visible difference.
sample_answers  Compare what people answered to the bundled titles with our answers.
scores          Score predictions: accuracy, F1 and confusion first, ROUGE and BLEU beside them.
seeds           Compare groups of runs that differ in the seed alone: mean, spread, hierarchical bootstrap.
"""
