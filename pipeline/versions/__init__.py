"""Versions: of data, code and settings, kept by git and DVC; of models, kept in the registry with their lineage.

`git` and `dvc` alone talk to those programs. `registry` says which model is the champion, `sealed` how often its test
set was looked at, both by lines of a `journal` that cannot be changed unseen; `trainings` are the last tries.
"""
