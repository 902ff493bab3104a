"""Data quality: what a check sees and what it says, how all checks are asked, and the rules that mend what they find.

Private values are recognised here, and hidden in every finding. The checks themselves are in pipeline/checks.
"""
