"""Hold the titles of a workspace and their state; search them, and find near duplicates.

near_duplicates  Find near-duplicate titles, and merge them into near-duplicate groups on import.
search           Search titles by text, state, category, person, source and tag, a page at a time.
titles           Read titles and their state; append the decisions that change it.
"""
