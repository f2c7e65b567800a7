"""Let a teacher model at an endpoint draft think chains (distillation), for people to accept.

drafts   Import drafts into the store, queue them for review, accept or reject them.
key      Store the API key of the teacher's endpoint.
prompts  Build the prompt of a teacher, clean its answer, estimate the cost.
runs     Plan, start and resume draft runs, and report their outcome and cost.
"""
