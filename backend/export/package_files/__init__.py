"""What a package runs: copied into it as it is, on llama.cpp and the standard library alone.

news_classifier  Classify titles with the model beside it.
server           Serve `/v1/classify` and the OpenAI protocol.
client           Ask the server about the titles of the command line.
smoke_test       Compare 20 titles with the categories they have in the studio.
"""
