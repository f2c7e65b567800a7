"""Talk to models: conversations that are kept, several models side by side, blind comparisons.

blind          Ask several models the same question without their names, and keep the votes.
classifying    Classify titles by a chat with an endpoint.
conversation   Define a conversation: panes, messages, settings, and what is done to them. Pure.
endpoints      Keep the endpoints that one talks to, without their keys.
export         Export a conversation as JSON or Markdown, and the votes as CSV or JSON.
records        Keep the conversations of each person.
streaming      Stream the answers of one or several models at once.
"""
