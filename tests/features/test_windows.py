"""Windows over an axis: the same values as if each were made, on the way to a file and back, and as tensors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import artefacts
from pipeline.features.windows import Windows, apart, together
from pipeline.models import windows as tensors


@pytest.fixture
def known() -> Windows:
    return Windows(
        values=np.arange(20, dtype=np.float32).reshape(10, 2),
        place_N=np.array([2, 9, 4]),
        step_W=np.array([-2, -1, 0]),
    )


def test_a_window_has_the_values_at_its_steps(known: Windows) -> None:
    made = np.asarray(known)

    assert made.shape == (3, 3, 2)
    assert made[1].tolist() == [[14, 15], [16, 17], [18, 19]]


def test_chosen_rows_are_windows_of_the_same_values(known: Windows) -> None:
    some = known[np.array([2, 0])]

    assert some.values is known.values
    assert np.array_equal(np.asarray(some), np.asarray(known)[[2, 0]])


def test_they_come_back_from_a_file(known: Windows, tmp_path: Path) -> None:
    plain = np.ones((3, 1), dtype=np.float32)

    artefacts.write_tensors(tmp_path / "a.safetensors", apart({"series:y": known, "dense": plain}))
    read = together(artefacts.read_tensors(tmp_path / "a.safetensors"))

    assert set(read) == {"series:y", "dense"}
    assert np.array_equal(read["dense"], plain)
    assert np.array_equal(np.asarray(read["series:y"]), np.asarray(known))


def test_as_tensors_they_are_gathered_by_rows_and_by_slices(known: Windows) -> None:
    made, whole = tensors.Windows.of(known), torch.from_numpy(np.asarray(known))

    assert torch.equal(made[1:3], whole[1:3])
    assert torch.equal(made.index_select(0, torch.tensor([2, 2, 0])), whole[[2, 2, 0]])
    assert (len(made), made.element_size(), made.device.type) == (3, 4, "cpu")
