"""The live page's files as the browser gets them: HTML, CSS and ES modules, without a build step.

`bridge/web/static.py` serves them; each begins with a comment that says what it is for.
"""
