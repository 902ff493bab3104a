"""Which backbone `auto` takes, and that it says so."""

import pytest

from pipeline.models.choices.auto import FEW_ROWS_AN_OUTPUT, TABM_ROWS, Size, batch_size, pick


@pytest.mark.parametrize(
    ("size", "gpu", "backbone"),
    [
        (Size(rows=30_000, columns=14, own=0, outputs=2), False, "tabm"),
        (Size(rows=30_000, columns=14, own=1, outputs=2), False, "mlp"),
        (Size(rows=FEW_ROWS_AN_OUTPUT * 3 - 1, columns=14, own=0, outputs=3), True, "linear"),
        (Size(rows=FEW_ROWS_AN_OUTPUT * 3, columns=14, own=0, outputs=3), True, "tabm"),
        (Size(rows=TABM_ROWS, columns=64, own=0, outputs=1), False, "mlp"),
        (Size(rows=TABM_ROWS, columns=64, own=0, outputs=1), True, "tabm"),
        (Size(rows=TABM_ROWS // 2, columns=64, own=0, outputs=1), False, "tabm"),
    ],
)
def test_the_backbone_follows_the_size(size: Size, gpu: bool, backbone: str) -> None:
    assert pick(size, gpu=gpu).backbone == backbone


def test_it_says_why_in_one_line() -> None:
    why = pick(Size(rows=30_000, columns=14, own=0, outputs=2), gpu=False).why

    assert why.startswith("tabm: 30,000 rows, 14 columns, 2 outputs")
    assert "\n" not in why


def test_batches_grow_with_the_rows() -> None:
    sizes = [batch_size(rows) for rows in (0, 2_799, 2_800, 30_000, 100_000, 10_000_000)]

    assert sizes == [32, 32, 64, 256, 512, 1024]
