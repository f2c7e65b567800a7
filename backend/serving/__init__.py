"""Speak the OpenAI protocol for the models of one base: chat, completions, and titles to categories.

`/v1/models`, `/v1/chat/completions` (`reasoning_content` apart from `content`), `/v1/completions` (text as
it is), both as streams too, and `/v1/classify` ({"titles": [...], "answer": "chain" | "direct"}). `/health`
answers however busy the server is, `/metrics` is Prometheus' text.

    app            Build the HTTP app: routes, and what each request passes on its way.
    activity       Notice whether a server is used, so that one that is idle can stop.
    gate           Turn away foreign names, wrong keys and large bodies.
    keys           Read the API keys.
    metrics        Count requests, tokens and answers for Prometheus.
    errors         Report errors in OpenAI's form.
    bodies         Read a request's JSON strictly.
    protocol       Define the requests: what is honoured, has no effect, is refused.
    conversation   Read messages into turns that a template knows.
    served_models  Hold one base and its adapters; prompts in, tickets out.
    adapters       Serve several adapters of one base, an engine for each.
    capacity       Decide how many answers of which length fit into memory.
    chat           Answer chats and plain completions.
    classify       Classify titles.
    calibration    Read a run's calibration; compute confidence, top 3, and whether to abstain.
    evidence       Find the words that carry a decision, by deleting each.
    answers        Put answers together: whole, or as chunks of a stream.
    thoughts       Split an answer into think chain and answer.
    tokens         Show single tokens, and their log probabilities.
    waiting        Wait for answers; give their places back when a client is gone.
"""
