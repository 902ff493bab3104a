"""Drift: new rows beside those of before, by their profiles and by counts in bins of the past; what it costs."""
