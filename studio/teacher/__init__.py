"""Let a teacher model at an endpoint draft think chains (distillation), for people to accept.

drafts     Import drafts into the store, queue them for review, accept or reject them.
endpoints  Name an endpoint in a spec: address, model, and where its key is.
key        Keep the API keys of teachers' endpoints, each for its address.
keys       Save and remove them, for whoever may.
prompts    Build the prompt of a teacher, clean its answer, estimate the cost.
runs       Plan, start and resume draft runs, and report their outcome and cost.
"""
