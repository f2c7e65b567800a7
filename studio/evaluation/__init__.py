"""Score a model's answers, and lead from each mistake back to its title.

baselines  Train two cheap baselines that a language model has to beat: majority and TF-IDF.
feedback   Follow a wrong answer back to its title, and requeue it.
scores     Score predictions: accuracy, F1 and confusion first, ROUGE and BLEU beside them.
"""
