"""What rows look back at, and of a forecast what follows them: windows over the axes of their series.

Shapes: R rows (of the past, then those that are asked about), N of them asked about, D dense values, H steps ahead.
A place has, of a forecast, the scaled label first; then whether the step is known; then the dense values of its row.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.features.series import Laid, Series, SeriesRecord
from pipeline.features.targets.forecast import Forecast
from pipeline.features.windows import Windows


@dataclass(frozen=True, kw_only=True)
class History:
    """Rows on their axes: `windows` what each looks back at, `known` (T,) bool the steps that have a row, or of a
    forecast a label, `ahead` what follows each.
    """

    series: Series
    laid: Laid
    known: np.ndarray
    windows: Windows
    ahead: Windows | None

    def samples(self) -> tuple[np.ndarray, SeriesRecord]:
        """(S,) the rows from which can be learnt, by time, and what became of all rows."""
        return self.laid.samples(self.known, self.series)


def history(
    series: Series, forecast: Forecast | None, rows: pl.DataFrame, past: pl.DataFrame | None, dense_RD: np.ndarray
) -> History:
    """Lay the rows, and before them those of the past; `dense_RD` are the dense values of both."""
    laid = series.lay(rows, past)
    dense_TD = laid.spread(dense_RD, laid.there())
    if forecast is None:
        known = laid.there()
        values = np.concatenate([known[:, None].astype(np.float32), dense_TD], axis=1)
        return History(series=series, laid=laid, known=known, windows=laid.windows(values, series.window), ahead=None)
    parts = [part for part in (past, rows) if part is not None]
    scaled_R = np.concatenate([forecast.scaled(part) for part in parts])
    known = laid.there(np.isfinite(scaled_R))
    label_T = laid.spread(scaled_R, known)
    values = np.concatenate([label_T[:, None], known[:, None].astype(np.float32), dense_TD], axis=1)
    return History(
        series=series,
        laid=laid,
        known=known,
        windows=laid.windows(values, series.window),
        ahead=forecast.ahead(laid, scaled_R),
    )
