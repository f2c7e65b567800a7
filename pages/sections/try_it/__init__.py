"""Draw the Classify and chat page.

chat      Chat with a model, streamed.
classify  Choose a model and classify titles with it.
"""
