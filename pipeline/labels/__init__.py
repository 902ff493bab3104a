"""Labels: what they are, which of them the other rows contradict, and which column gives them away.

Used by the checks of labels and of leakage, by `keepfit check --impact` and by drift of labels.
"""
