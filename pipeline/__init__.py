"""The code of keepfit, by what it is about; imports run one way (tests/test_architecture.py).

cli, commands                  the command line; what each `keepfit` subcommand does, in a file or folder of its name
stages                         the data's way: ingest, validate, clean, split, normalize, train, evaluate, promote
monitor, incoming, policy      the way of each later batch, and when and on what the model is trained anew
readers, infer, contract       what data are: any file as tables, inferred columns, the contract that states them
quality, checks, expectations  what is wrong with data: findings, the checks that make them, and of files as a whole
cleaning                       what becomes of rows: plans of repairs, rows merged or mended by hand, the ledger
profile, tables                columns in numbers that can be merged; cells, tags and frames, below all else
labels, similar, media         for several checks: wrong labels, near duplicates, pictures and sounds
features, models, predictor    columns → tensors → network → answers
metrics, judgement, drift      how good answers are, where and why they fail, and whether rows still are as they were
versions, export               what is kept of data, code and models, by git, DVC and the registry; models as files
reports                        the pages that tell all this
settings, workspace, params    params.yaml, and where each file of a workspace is
artefacts, errors, progress    how files are written, what can go wrong, how far a stage is
runtime, wording               the process and its machine; how counts and numbers are said
"""
