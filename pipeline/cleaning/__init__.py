"""Cleaning: which repairs are made, and what becomes of each row; used by ingest, clean, monitor and predict.

The flags of checks become a plan of repairs, rows that change are checked again, rows that tell one thing are merged,
rows that a person mended take their old place, and the ledger says of every row where it went.
"""
