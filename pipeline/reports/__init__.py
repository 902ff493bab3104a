"""The pages that people read: the report, the model card, the pages of data quality, drift and backtests."""
