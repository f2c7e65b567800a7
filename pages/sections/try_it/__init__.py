"""Draw the Classify and chat page.

answers        Draw many answers as one table, hand answers over as a file.
blind          Draw blind comparisons: a question without names, the vote, the tally.
card           Draw one classified title: confidence, evidence, reason, probabilities.
chat           Draw a conversation with one to three models, kept by name.
chat_messages  Draw messages, and copy, edit, ask again, show the prompt.
chat_settings  Draw how answers are sampled.
chat_stream    Stream answers into the panes of a conversation.
classify       Choose a model and classify titles with it.
endpoints      Draw the endpoints that one can talk to.
offered        List the runs that are offered as models: the release first, then candidates.
sheet          Classify a sheet as a job, and choose an earlier one.
sheet_job      Draw a classification: progress, numbers, download.
sheet_rows     Draw the rows of a classified sheet, filtered, page by page.
wrong_answer   Report a wrong answer, and take the report back.
"""
