"""Score a model's predictions, and lead from each error back to its title.

baselines       Train two cheap baselines that a language model has to beat: majority and TF-IDF.
feedback        Requeue the titles of wrong predictions for labelling.
sample_answers  Compare what people answered to the bundled titles with our answers.
scores          Score predictions: accuracy, F1 and confusion first, ROUGE and BLEU beside them.
"""
