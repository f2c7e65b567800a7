"""Answer requests with a language model: one engine for evaluation, classification, serving and sampling.

titles            Describe what answers titles, whichever engine is behind it.
local             Answer titles with a loaded model.
endpoint          Answer titles by a model at an OpenAI-compatible endpoint.
majority          Answer each title several times, and take the category that most samples name.
opening           Open what answers titles, as a spec names it.
endpoint_scoring  Score categories at an endpoint by the probability of their tokens.
answering         Answer rendered prompts: chains through the engine, categories by their probability.
scoring           Score continuations by their probability after a prompt.
requests          Describe what an engine is asked and what it answers.
engine            Answer requests as they come and go: continuous batching over one model.
loop              Step an engine in a thread of its own, for requests from many threads.
constraints       Restrict what an answer may say.
quotation         Have every quotation in a chain be a piece of the title.
decoder           Run the model: prefill rows, and decode one token of every row.
attention         Attend to the engine's key-value cache.
cache             Hold the keys and values of all rows.
prefixes          Remember the keys and values of beginnings that requests share.
rows              Keep what the next step needs to know of every row, as tensors.
sampling          Choose the next token of every row.
detokenizer       Turn tokens into text as they come.
"""
