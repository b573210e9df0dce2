"""OpenAI's administration API: usage of eleven families, costs, projects and their keys, for admin keys only.

`callers.py` says who calls what, `history.py` how much, `query.py` refuses what OpenAI refuses; `usage.py`, `costs.py`
and `projects.py` answer, `truth.py` knows.
"""
