"""What is wrong with a set-up, and what to type: every part is measured by itself, and each fact judged.

`measuring` asks peers and the host, and decides nothing; `judging` makes findings of what was measured, and asks none
of them.
"""
