"""Drift of categories: the values' counts in both profiles."""

from dataclasses import dataclass

from pipeline.drift.homogeneity import Comparison, compare_counts
from pipeline.profile import Categorical, hashes_of


@dataclass(frozen=True, kw_only=True)
class Categories:
    """Compare the counts of each value; missing counts as one more value, and so does one never seen.

    Where a profile keeps but some of many values, those that both keep are compared, and the others are one
    bin: both keep the values of smallest hash, so it is the same fair draw from all values on either side.

    >>> def column(**counts): return Categorical(nulls=0, counts=counts, other=0)
    >>> Categories().compare(column(a=900, b=100), column(a=90, b=10)).effect
    0.0
    >>> Categories().compare(column(a=900, b=100), column(a=40, b=10, new=50)).effect > 0.4
    True
    """

    def compare(self, reference: Categorical, batch: Categorical) -> Comparison:
        """Say how far the batch's values are from the reference's; the rarest values are pooled."""
        limits = [limit for limit in (reference.hash_limit, batch.hash_limit) if limit is not None]
        limit = min(limits, default=2**64)
        known = sorted({*reference.counts, *batch.counts})
        values = [value for value, hashed in zip(known, hashes_of(known), strict=True) if hashed <= limit]
        counted = zip(_counts(reference, values), _counts(batch, values), strict=True)
        # Bins may be ordered by their totals, never by one side's: pooling would then find a difference.
        falling = sorted(counted, key=lambda pair: -sum(pair))
        return compare_counts([pair[0] for pair in falling], [pair[1] for pair in falling])


def _counts(column: Categorical, values: list[str]) -> list[int]:
    """Rows of each value, then of all other values, then missing."""
    counts = [column.counts.get(value, 0) for value in values]
    return [*counts, column.rows - column.nulls - sum(counts), column.nulls]
