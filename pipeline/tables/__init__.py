"""Tables at their smallest: cells read as types or as several tags, pairs chained into sets, frames of Polars."""
