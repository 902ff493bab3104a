"""Series: rows on their axes, gaps marked and filled from before; no row is learnt from whose future is not there."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.contract import Column, Contract
from pipeline.errors import DataError, SettingsError
from pipeline.features import preprocessor
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.series import Series, SeriesSettings, tail
from pipeline.features.targets.forecast import Forecast
from pipeline.stages.normalize import NormalizeSettings

START = datetime(2024, 1, 1)
HOUR = timedelta(hours=1)


def column(name: str, dtype: Any, role: Any, modality: Any) -> Column:
    return Column(name=name, dtype=dtype, nullable=True, role=role, modality=modality)


AGREED = Contract(
    file=__file__,  # type: ignore[arg-type]
    schema=None,  # type: ignore[arg-type]
    columns=(
        column("at", pl.Datetime("us"), "time", None),
        column("shop", pl.String(), "group", None),
        column("price", pl.Float64(), "feature", "numeric"),
        column("sold", pl.Float64(), "label", "numeric"),
    ),
    expectations=(),
)


def rows(hours: list[int], shop: str = "a", first: float = 0.0) -> pl.DataFrame:
    """A row at each of these hours; what is sold is the hour."""
    return pl.DataFrame(
        {
            "at": [START + hour * HOUR for hour in hours],
            "shop": [shop] * len(hours),
            "price": [float(hour % 3) for hour in hours],
            "sold": [first + hour for hour in hours],
        },
        schema_overrides={"at": pl.Datetime("us")},
    )


def fitted(train: pl.DataFrame, agreed: Contract = AGREED, **settings: Any) -> Preprocessor:
    chosen = {"window": 3, "horizon": 2, **settings}
    modalities = NormalizeSettings.model_validate({"series": chosen}).by_modality()
    return preprocessor.fit(train.lazy(), agreed, modalities)


def axis(train: pl.DataFrame, **settings: Any) -> Series:
    found = fitted(train, **settings).series
    assert found is not None
    return found


def decoded(made: Preprocessor, windows: Any) -> np.ndarray:
    """(N, W) the label of windows, (N, W) whether it is known, both as they were."""
    values = np.asarray(windows)
    target = made.target
    assert isinstance(target, Forecast)
    center, scale = target.groups["a"]
    label: np.ndarray = np.where(values[:, :, 1] > 0, values[:, :, 0] * scale + center, np.nan).round(3)
    return label


def test_a_row_looks_back_over_its_window_and_ahead_over_the_horizon() -> None:
    train = rows([*range(8)])
    made = fitted(train)

    chosen, encoded = made.samples(train)

    assert chosen.tolist() == [2, 3, 4, 5]  # two have no whole past, two no whole future
    assert decoded(made, encoded.inputs["series:sold"]).tolist() == [[h - 2, h - 1, h] for h in (2, 3, 4, 5)]
    center, scale = made.target.groups["a"]  # type: ignore[union-attr]
    ahead = np.asarray(encoded.target) * scale + center
    assert np.allclose(ahead, [[h + 1, h + 2] for h in (2, 3, 4, 5)], atol=1e-5)
    assert len(encoded.inputs["dense"]) == len(chosen)


def test_every_row_is_counted_once() -> None:
    train = pl.concat([rows([0, 1, 2, 3, 4, 5, 5, 6, 8, 9, 10]), rows([0]).with_columns(at=pl.lit(None, pl.Datetime))])

    _, encoded = fitted(train).samples(train)

    found = encoded.record
    assert found is not None
    assert (found.rows, found.without_time, found.repeated, found.young, found.missing_steps) == (12, 1, 1, 2, 1)
    lost = found.without_time + found.repeated + found.young + found.without_future
    assert found.samples == found.rows - lost
    assert "1 steps between them have none" in found.words


def test_a_gap_is_marked_and_filled_with_what_was_known_last() -> None:
    train = rows([0, 1, 2, 4, 5, 6, 7])
    made = fitted(train)

    chosen, encoded = made.samples(train)

    at_four = chosen.tolist().index(3)
    window = np.asarray(encoded.inputs["series:sold"])[at_four]
    assert np.array_equal(decoded(made, encoded.inputs["series:sold"])[at_four], [2, np.nan, 4], equal_nan=True)
    assert window[1, 0] == window[0, 0]
    assert window[:, 1].tolist() == [1, 0, 1]


def test_rows_before_a_gap_in_their_future_are_not_learnt_from() -> None:
    train = rows([0, 1, 2, 3, 5, 6, 7])

    chosen, _ = fitted(train).samples(train)

    assert train["sold"].gather(chosen).to_list() == [5]  # 2 and 3 have 4 ahead, which is missing


def test_windows_do_not_change_when_later_rows_do() -> None:
    train = rows([*range(10)])
    made = fitted(train)
    later = train.with_columns(sold=pl.when(pl.col("sold") > 5).then(pl.lit(-99.0)).otherwise("sold"))

    before, after = (np.asarray(made.encode(part).inputs["series:sold"]) for part in (train, later))

    assert np.array_equal(before[:6], after[:6])
    assert not np.array_equal(before[6:], after[6:])


def test_rows_of_an_earlier_split_are_looked_back_at_and_never_ahead() -> None:
    train, val = rows([*range(10)]), rows([*range(10, 16)])
    made = fitted(train)

    chosen, encoded = made.samples(val, past=tail(train.lazy(), axis(train)))

    assert chosen.tolist() == [0, 1, 2, 3]
    assert decoded(made, encoded.inputs["series:sold"])[0].tolist() == [8, 9, 10]
    assert made.samples(train)[0].max() == 7  # its last row with a future of its own: 8 and 9


def test_rows_of_one_stamp_do_not_shorten_the_past() -> None:
    train = rows([0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 9, 9])

    before = tail(train.lazy(), axis(train))

    assert before["sold"].to_list() == [7, 8, 9]


def test_the_order_of_rows_changes_nothing_but_their_places() -> None:
    train = pl.concat([rows([*range(9)]), rows([*range(9)], "b", 50.0)])
    made, mixed = fitted(train), train.sample(fraction=1.0, shuffle=True, seed=3)

    (some, first), (others, second) = made.samples(train), made.samples(mixed)

    assert_frame_equal(train[some.tolist()], mixed[others.tolist()])
    assert np.array_equal(np.asarray(first.inputs["series:sold"]), np.asarray(second.inputs["series:sold"]))
    assert np.array_equal(np.asarray(first.target), np.asarray(second.target))


def test_series_of_different_groups_stay_apart() -> None:
    train = pl.concat([rows([*range(6)]), rows([*range(3, 9)], "b", 50.0)])

    windows = np.asarray(fitted(train).encode(train).inputs["series:sold"])

    assert windows[6, :, 1].tolist() == [0, 0, 1]  # the first of b has nothing before it
    assert windows[5, :, 1].tolist() == [1, 1, 1]


def test_a_row_without_a_time_sees_nothing() -> None:
    train = rows([*range(6)])
    lost = train.head(1).with_columns(at=pl.lit(None, pl.Datetime("us")))

    assert not np.asarray(fitted(train).encode(lost).inputs["series:sold"]).any()


def test_without_a_horizon_every_row_stays_and_its_label_is_in_no_window() -> None:
    train = rows([*range(6)])
    made = fitted(train, horizon=0)

    chosen, encoded = made.samples(train)
    changed = made.encode(train.with_columns(sold=pl.lit(7.0)))

    assert chosen.tolist() == [*range(6)]
    assert made.target.kind == "quantity"
    assert np.array_equal(np.asarray(encoded.inputs["series:sold"]), np.asarray(changed.inputs["series:sold"]))
    assert np.asarray(encoded.inputs["series:sold"]).shape == (6, 3, 1 + len(made.dense_outputs))


def test_it_is_the_same_after_writing_and_reading(tmp_path: Any) -> None:
    made = fitted(rows([*range(8)]))

    made.write(tmp_path)

    assert Preprocessor.read(tmp_path) == made


@pytest.mark.parametrize(
    ("every", "step", "season"),
    [("15m", "15m", 96), ("1h", "1h", 24), ("1d", "1d", 7), ("1w", "1w", 52), ("1mo", "1mo", 12), ("1y", "1y", 1)],
)
def test_the_step_is_what_most_rows_are_apart(every: str, step: str, season: int) -> None:
    stamps = pl.datetime_range(START, datetime(2160, 1, 1), every, eager=True).head(130)
    train = pl.DataFrame({"at": stamps, "shop": "a", "price": 1.0, "sold": pl.int_range(130, eager=True).cast(float)})

    found = axis(train.filter(pl.int_range(pl.len()) != 50), window=100)

    assert (found.step, found.season) == (step, season)


def test_stamps_that_are_a_bit_off_stand_at_their_step() -> None:
    train = rows([*range(8)]).with_columns(
        at=pl.col("at") + pl.Series([0, 9, -9, 9, -9, 9, -9, 0]) * timedelta(seconds=60)
    )

    chosen, encoded = fitted(train, step="1h").samples(train)

    assert chosen.tolist() == [2, 3, 4, 5]
    assert encoded.record is not None and encoded.record.missing_steps == 0


def test_where_each_row_is_a_step_nothing_is_missing() -> None:
    train = rows([0, 1, 5, 9, 40, 41, 90])

    _, encoded = fitted(train, step="row").samples(train)

    assert encoded.record is not None
    assert (encoded.record.samples, encoded.record.missing_steps) == (3, 0)


def test_a_step_that_leaves_nearly_all_missing_is_told() -> None:
    with pytest.raises(DataError, match=r"normalize\.series\.step: 8 rows have .* steps of 1s: nearly all are missing"):
        fitted(rows([*range(8)]), step="1s")


def test_only_numbers_are_forecast_and_only_over_time() -> None:
    classes = replace(AGREED, columns=(*AGREED.columns[:3], column("sold", pl.Float64(), "label", "categorical")))
    timeless = replace(AGREED, columns=AGREED.columns[1:])

    with pytest.raises(SettingsError, match=r"horizon: only a number can be forecast, and sold has classes"):
        fitted(rows([*range(8)]), classes)
    with pytest.raises(SettingsError, match=r"normalize\.series: needs a column of role `time`"):
        fitted(rows([*range(8)]), timeless)


def test_a_step_is_written_as_a_number_and_a_unit() -> None:
    with pytest.raises(ValueError, match="pattern"):
        SeriesSettings(step="hourly")
