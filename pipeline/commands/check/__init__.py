"""`keepfit check` and `keepfit checks`: data examined without a workspace, what that says on the screen and as JSON.

With `--impact`, what a model gains where the rows that were found are left out or mended.
"""
