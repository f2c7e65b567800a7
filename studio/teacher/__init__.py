"""Let a large model elsewhere draft think chains, for people to accept.

drafts   Take drafts into the store, show them, accept or reject them.
key      Keep the API key of the teacher's endpoint.
prompts  Build the prompt of a teacher, clean its answer, estimate the cost.
runs     Plan, start and resume draft runs, and report what they cost.
"""
