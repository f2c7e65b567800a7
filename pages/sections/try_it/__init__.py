"""Draw the Classify and chat page.

answers       Draw many answers as one table, hand answers over as a file.
chat          Chat with a model, streamed.
classify      Choose a model and classify titles with it.
offered       List the runs that are offered as models: the release first, then candidates.
sheet         Classify a sheet as a job, and choose an earlier one.
sheet_job     Draw a classification: progress, numbers, download.
sheet_rows    Draw the rows of a classified sheet, filtered, page by page.
wrong_answer  Report a wrong answer, and take the report back.
"""
