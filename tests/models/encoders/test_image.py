"""Pictures in the network: shapes, scaling, and what training changes at random and answers do not."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from pipeline.features.image import AugmentationSettings
from pipeline.models.encoders.image import ImageNetwork, augmented
from pipeline.models.encoders.residual import Block

STILL = {"shift": 0, "rotation_degrees": 0, "flip": "none", "brightness": 0, "contrast": 0, "colour": 0, "erased": 0}


def network(size: int = 12, channels: int = 1, **settings: Any) -> ImageNetwork:
    torch.manual_seed(0)
    shape = {"size": size, "channels": channels, "mean": [0.5] * channels, "deviation": [0.25] * channels}
    made = ImageNetwork.of({**shape, "settings": {"width": 4, "depth": 1, **settings}})
    assert isinstance(made, ImageNetwork)
    return made


def pictures(rows: int, size: int = 12, channels: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (rows, channels, size, size), dtype=torch.uint8, generator=generator)


def changed(light: torch.Tensor, seed: int = 0, **settings: Any) -> torch.Tensor:
    torch.manual_seed(seed)
    return augmented(light, AugmentationSettings.model_validate({**STILL, **settings}))


@pytest.mark.parametrize(("size", "channels"), [(4, 1), (8, 1), (28, 1), (33, 3), (64, 3)])
def test_any_size_gives_a_vector_of_the_width_that_is_announced(size: int, channels: int) -> None:
    made = network(size, channels).train()

    found = made(pictures(3, size, channels))

    assert found.shape == (3, made.width)
    found.square().sum().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())


def test_flat_is_the_pixels_in_0_to_1_and_nothing_is_learnt() -> None:
    made, block = network(8, kind="flat").train(), pictures(5, 8)

    assert torch.equal(made(block), block.flatten(1).float() / 255)
    assert made.width == 64
    assert not list(made.parameters())


def test_pictures_are_scaled_by_trains_mean_and_deviation() -> None:
    made, seen = network(8, 3).eval(), []
    assert made.trunk is not None
    made.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))

    made(torch.full((2, 3, 8, 8), 255, dtype=torch.uint8))

    assert torch.allclose(seen[0], torch.full((2, 3, 8, 8), 2.0))


def test_rows_are_answered_one_by_one_as_all_at_once() -> None:
    made, block = network().eval(), pictures(7)
    whole = made(block)

    made.rows_at_once = 3

    assert torch.allclose(made(block), whole, atol=1e-6)
    assert made(block[:0]).shape == (0, made.width)


def test_only_training_is_random_and_the_global_seed_repeats_it() -> None:
    made, block = network(augmentation={"shift": 0.3}), pictures(6)
    assert torch.equal(made.eval()(block), made(block))

    torch.manual_seed(5)
    first = made.train()(block)
    torch.manual_seed(5)
    again = made(block)

    assert torch.equal(first, again)
    assert not torch.equal(first, made(block))


def test_without_augmentation_pictures_stay_as_they_are() -> None:
    light = torch.rand(4, 3, 9, 9)

    assert changed(light) is light


def test_a_shift_moves_whole_pixels_and_brings_in_black() -> None:
    light = torch.zeros(64, 1, 9, 9)
    light[:, :, 4, 4] = 1

    found = changed(light, shift=0.3)

    places = {tuple(place) for place in found.nonzero()[:, 2:].tolist()}
    assert found.sum(dim=(1, 2, 3)).tolist() == [1.0] * 64
    assert {abs(row - 4) for row, _ in places} == {0, 1, 2, 3}
    assert {abs(column - 4) for _, column in places} == {0, 1, 2, 3}


@pytest.mark.parametrize(("flip", "dims"), [("horizontal", (3,)), ("vertical", (2,))])
def test_every_other_picture_is_mirrored(flip: str, dims: tuple[int, ...]) -> None:
    light = torch.rand(32, 1, 6, 6)

    found = changed(light, flip=flip)

    same = [torch.equal(one, other) for one, other in zip(found, light, strict=True)]
    mirrored = [torch.equal(one, other) for one, other in zip(found, light.flip(dims), strict=True)]
    assert [a != b for a, b in zip(same, mirrored, strict=True)] == [True] * 32
    assert 8 < sum(same) < 24


def test_a_turn_keeps_the_middle_and_moves_the_rest() -> None:
    light = torch.zeros(16, 1, 11, 11)
    light[:, :, 5, 5] = 1
    light[:, :, 5, 9] = 1

    found = changed(light, rotation_degrees=90)

    assert torch.allclose(found[:, 0, 5, 5], torch.ones(16), atol=1e-4)
    assert len({tuple(one.flatten().topk(2).indices.tolist()) for one in found}) > 4


def test_light_stays_in_0_to_1_and_each_picture_has_its_own() -> None:
    light = torch.rand(40, 3, 5, 5)

    found = changed(light, brightness=0.5, contrast=0.5, colour=0.3)

    assert 0 <= found.min().item() <= found.max().item() <= 1
    assert len({round(float(value), 4) for value in (found.mean(dim=(1, 2, 3)) / light.mean(dim=(1, 2, 3)))}) > 30


def test_about_half_lose_a_square_that_is_small_enough() -> None:
    light = torch.full((200, 1, 10, 10), 0.5)

    lost = (changed(light, erased=0.4) != light).sum(dim=(1, 2, 3))

    assert 60 < int((lost > 0).sum()) < 140
    assert int(lost.max()) <= 16


@pytest.mark.parametrize("change", [{"width": 1}, {"depth": 0}, {"kind": "vgg"}])
def test_an_impossible_choice_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        network(**change)


def test_a_few_pictures_can_be_learnt() -> None:
    made = network(8, augmentation=STILL, width=16).train()
    head = torch.nn.Linear(made.width, 2)
    optimizer = torch.optim.Adam([*made.parameters(), *head.parameters()], lr=0.02)
    block, label = pictures(16, 8), torch.arange(16) % 2

    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(head(made(block)), label)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    assert loss.item() < 0.05


@pytest.mark.parametrize(("size", "blocks"), [(8, 3), (28, 6), (96, 12)])
def test_there_is_no_block_at_full_size_where_smaller_ones_follow(size: int, blocks: int) -> None:
    made, seen = network(size, depth=3), []
    assert made.trunk is not None
    found = [module for module in made.trunk.modules() if isinstance(module, Block)]
    for block in found:
        block.register_forward_pre_hook(lambda block, given: seen.append((block, given[0].shape[-1])))

    made(pictures(2, size))

    assert len(found) == blocks
    assert [side for _, side in seen].count(size) == (1 if size > 8 else blocks)
