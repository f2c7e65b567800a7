"""Answer requests with a language model, here or at an endpoint.

requests          Describe what an engine is asked and what it answers.
titles            Describe what answers titles, whichever engine is behind it.
endpoint          Answer titles by a model at an OpenAI-compatible endpoint.
endpoint_scoring  Score categories at an endpoint by the probability of their tokens.
"""
