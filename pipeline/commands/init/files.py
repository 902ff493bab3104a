"""The files of a new workspace as text; capital words are filled in by `start`."""

PARAMS = """\
# The settings of this workspace. Every key is typed and checked before a run; one that is left out has a default.
dataset: NAME
seed: SEED

ingest:
  null_values: NULLS # cells that stand for a missing value

checks: # CHECK: {policy: stop | quarantine | repair | warn | off}
  batch_expectations: stop
  target_leak: {policy: warn} # a column that tells the label alone: `stop` is the default, once that is looked at

split:
  method: METHOD
  val_share: 0.15
  test_share: 0.15

normalize:
  numeric: {method: SCALING}
  categorical: {minimum_count: COUNT} # a value with fewer rows counts as rare
SERIES
train:
  NETWORK
  PACE

evaluate:
  resamples: 200

promote:
  metric: METRIC
  baseline: BASELINE # what must surely be beaten; STRONGER ask more
  tolerated_loss: 0.005 # LOSS
  commit: true # a promotion is a commit of dvc.lock with a tag

monitor:
  metric: METRIC
  min_labelled_rows: LABELLED
"""

DVC = """\
# The DAG, and the only place where it is written: `dvc repro` and `keepfit run` both read it.
vars:
  - keepfit: KEEPFIT

stages:
  ingest:
    cmd: ${keepfit} stage ingest
    deps:
      - data/raw/NAME
      - schemas/NAME.py
    params: [dataset, ingest]
    outs:
      - data/ingested

  validate:
    cmd: ${keepfit} stage validate
    deps:
      - data/ingested
FILES      - schemas/NAME.py
    params: [dataset, seed, checks]
    outs:
      - data/flags.parquet
      - reports/data_docs
      - reports/quality.json: {cache: false}

  clean:
    cmd: ${keepfit} stage clean
    deps:
      - data/ingested
      - data/flags.parquet
      - schemas/NAME.py
    params: [dataset, checks, ingest]
    outs:
      - data/clean
      - data/quarantine
      - reports/ledger.json: {cache: false}

  split:
    cmd: ${keepfit} stage split
    deps:
      - data/clean
      - data/quarantine
      - models/window.json
      - schemas/NAME.py
    params: [dataset, seed, split]
    outs:
      - data/split

  normalize:
    cmd: ${keepfit} stage normalize
    deps:
      - data/split
FILES      - schemas/NAME.py
    params: [dataset, normalize]
    outs:
      - data/normalized
      - models/preprocessor

  train:
    cmd: ${keepfit} stage train
    deps:
      - data/clean
      - data/normalized
      - data/split
      - models/preprocessor
      - models/window.json
    params: [seed, train]
    outs:
      - models/candidate
      - dvclive

  evaluate:
    cmd: ${keepfit} stage evaluate
    deps:
      - data/normalized
      - data/split
      - models/candidate
      - models/champion.json
FILES      - schemas/NAME.py
    params: [dataset, seed, evaluate]
    outs:
      - reports/diagnosis.json: {cache: false}
      - reports/evaluation.json: {cache: false}
      - reports/plots
    metrics:
      - reports/metrics.json: {cache: false}

plots:
  - Loss:
      x: step
      y:
        dvclive/plots/metrics/train/loss.tsv: loss
        dvclive/plots/metrics/val/loss.tsv: loss
PLOTS"""

PLOTS_OF_CLASSES = """\
  - AUC:
      x: step
      y:
        dvclive/plots/metrics/train/auc.tsv: auc
        dvclive/plots/metrics/val/auc.tsv: auc
  - ROC:
      x: fpr
      y: {reports/plots/roc.json: tpr}
  - Precision and recall:
      x: recall
      y: {reports/plots/precision_recall.json: precision}
"""

PLOTS_OF_QUANTITY = """\
  - RMSE:
      x: step
      y:
        dvclive/plots/metrics/train/rmse.tsv: rmse
        dvclive/plots/metrics/val/rmse.tsv: rmse
  - Answers and truth:
      template: scatter
      x: truth
      y: {reports/plots/predicted.json: answer}
  - Residuals by answer:
      x: answer
      y: {reports/plots/residuals.json: [bias, absolute]}
"""

PLOTS_OF_FORECAST = """\
  - RMSE:
      x: step
      y:
        dvclive/plots/metrics/train/rmse.tsv: rmse
        dvclive/plots/metrics/val/rmse.tsv: rmse
  - Mean absolute error by step:
      x: step
      y: {reports/plots/steps.json: error}
"""

GITIGNORE = """\
__pycache__/
/.venv/
/.keepfit/
*.tmp

# made by the DAG; DVC keeps their versions
/data/ingested
/data/flags.parquet
/data/clean
/data/quarantine
/data/split
/data/normalized
/dvclive
/models/candidate
/models/preprocessor
/models/registry
/monitoring
/reports/data_docs
/reports/plots
/reports/report.html
/reports/model_card.*
/reports/repairs.parquet
/dvc_plots
"""

DVCIGNORE = """\
.venv
.keepfit
__pycache__
# each version keeps the DAG it came from, which is not one of this workspace
models/registry
"""

README = """\
# NAME

A keepfit workspace. What is checked, learnt and promoted here is said by three files: read them first.

- `schemas/NAME.py`: the contract, as inferred from the data. Correct roles, modalities and ranges that are wrong.
- `params.yaml`: the settings.
- `dvc.yaml`: the stages, from ingest to evaluate.

```
keepfit run          # run what is not up to date, judge the candidate, promote it if it is better
dvc repro            # the same stages, without promotion
keepfit report       # reports/report.html, and the model card; `keepfit explain ROW` says why a row is answered so
keepfit models       # the versions of the model; `keepfit models rollback` goes back to the one before
keepfit monitor      # look at new files in data/incoming/NAME: drift, live scores, retraining
```

The data lie in `data/raw/NAME`, in git if they are small: as they came, or, where a stage could not read them so
(another delimiter or encoding, a spreadsheet), written anew, with the originals in `data/original/NAME`. New batches
may come as the first data did. Larger ones: `dvc add data/raw/NAME`.
"""
