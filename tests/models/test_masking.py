"""Masking: cells of rows replaced by those of other rows, whole columns of dense values together; only these count."""

import numpy as np
import pytest
import torch

from pipeline.models.masking import Masked, Masking, Telling

CPU = torch.device("cpu")
COLUMNS = ["size", "size", "age", "flat"]  # a number with its indicator, a number, one that never varies
CARDINALITIES = [6, 4]
ROWS = 2000


def table() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    size_N = random.normal(size=ROWS)
    dense_ND = np.stack([size_N, size_N > 1, 5 + random.normal(size=ROWS), np.full(ROWS, 2.0)], axis=1)
    codes_NC = np.stack([random.integers(3, 6, ROWS), np.full(ROWS, 3)], axis=1)
    return {"dense": dense_ND.astype(np.float32), "codes": codes_NC}


def masking(share: float = 0.4) -> Masking:
    return Masking.of(table(), COLUMNS, share, 1, CPU)


def masked(share: float = 0.4) -> Masked:
    inputs = {name: torch.from_numpy(array) for name, array in table().items()}
    return masking(share)(inputs, torch.Generator().manual_seed(3))


def test_cells_that_are_not_masked_stay_and_others_come_from_their_column() -> None:
    found = masked()

    per_value = found.masked_BG[:, [0, 0, 1, 2]]
    assert torch.equal(found.inputs["dense"][~per_value], found.dense_BD[~per_value])
    assert torch.equal(found.inputs["codes"][~found.masked_BG[:, 3:]], found.codes_BC[~found.masked_BG[:, 3:]])
    for place in range(len(COLUMNS)):
        assert set(found.inputs["dense"][:, place].tolist()) <= set(found.dense_BD[:, place].tolist())
    assert found.masked_BG.float().mean() == pytest.approx(0.4, abs=0.02)
    assert not torch.equal(found.masked_BG[:, 0], found.masked_BG[:, 1])


def test_the_values_of_one_column_come_from_one_row() -> None:
    size_B, indicator_B = masked(0.9).inputs["dense"][:, :2].T

    assert torch.equal(indicator_B, (size_B > 1).float())


def test_what_differs_is_told_apart_from_what_was_drawn_alike() -> None:
    found = masked()

    assert not found.differs_BG[:, 4].any()  # a column of one code
    assert not found.differs_BG[:, 2].any()
    assert found.masked_BG[:, 4].any()
    assert not found.differs_BG[~found.masked_BG].any()
    assert found.differs_BG[found.masked_BG[:, 1], 1].mean() > 0.99  # a row may draw itself
    assert found.differs_BG[:, 3].mean() == pytest.approx(0.4 * 2 / 3, abs=0.03)


def test_only_masked_cells_are_to_be_told() -> None:
    found, telling = masked(), Telling.of(masking(), CARDINALITIES, "values")
    outputs_BMR = torch.randn(ROWS, 2, telling.outputs, requires_grad=True)

    telling(outputs_BMR, found).backward()  # type: ignore[no-untyped-call]

    assert outputs_BMR.grad is not None
    moved_BR = outputs_BMR.grad.abs().sum(dim=1) > 0
    assert torch.equal(moved_BR[:, 0], found.masked_BG[:, 0])
    assert torch.equal(moved_BR[:, 2], found.masked_BG[:, 1])
    assert not moved_BR[:, 3].any()  # it never varies
    first = len(COLUMNS)
    assert torch.equal(moved_BR[:, first : first + telling.sizes[0]].any(dim=1), found.masked_BG[:, 3])
    assert not moved_BR[:, first + telling.sizes[0] :].any()


@pytest.mark.parametrize("objective", ["values", "mask", "both"])
def test_a_blind_guess_loses_one_and_who_knows_loses_nothing(objective: str) -> None:
    found, telling = masked(), Telling.of(masking(), CARDINALITIES, objective)  # type: ignore[arg-type]
    blind_BMR, known_BMR = torch.zeros(ROWS, 1, telling.outputs), torch.full((ROWS, 1, telling.outputs), -50.0)
    share_G = found.differs_BG.mean(dim=0)
    blind_BMR[:, :, -5:] = torch.logit(share_G.clamp(1e-6, 1 - 1e-6))
    blind_BMR[:, :, len(COLUMNS)] = -50.0  # no code is rare
    known_BMR[:, 0, : len(COLUMNS)] = (found.dense_BD - telling.mean_D) / telling.scale_D
    known_BMR[:, 0].scatter_(1, len(COLUMNS) + telling.classes[0][found.codes_BC[:, :1]], 50.0)
    known_BMR[:, 0, -5:] = 100 * found.differs_BG - 50

    assert float(telling(blind_BMR, found)) == pytest.approx(1, abs=0.05)
    assert float(telling(known_BMR, found)) == pytest.approx(0, abs=0.01)


def test_members_are_told_one_by_one() -> None:
    found, telling = masked(), Telling.of(masking(), CARDINALITIES, "both")
    outputs_BMR = torch.randn(ROWS, 3, telling.outputs)

    together = telling(outputs_BMR, found)

    alone = [telling(outputs_BMR[:, [member]], found) for member in range(3)]
    assert float(together) == pytest.approx(float(torch.stack(alone).mean()), rel=1e-5)


def test_rows_of_codes_alone_are_masked_too() -> None:
    codes = {"dense": np.empty((50, 0), np.float32), "codes": table()["codes"][:50]}
    masks = Masking.of(codes, [], 0.5, 0, CPU)
    telling = Telling.of(masks, CARDINALITIES, "both")

    found = masks({name: torch.from_numpy(array) for name, array in codes.items()}, torch.Generator())

    assert masks.cells == 2
    assert torch.isfinite(telling(torch.randn(50, 1, telling.outputs), found))


def test_rows_of_numbers_alone_are_masked_too() -> None:
    numbers = {"dense": table()["dense"][:50], "codes": np.empty((50, 0), np.int64)}
    masks = Masking.of(numbers, COLUMNS, 0.5, 0, CPU)
    telling = Telling.of(masks, [], "both")

    found = masks({name: torch.from_numpy(array) for name, array in numbers.items()}, torch.Generator())

    assert masks.cells == 3
    assert torch.isfinite(telling(torch.randn(50, 1, telling.outputs), found))
