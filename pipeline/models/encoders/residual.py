"""Residual blocks over planes, for pictures and for spectrograms.

Source: He, Zhang, Ren & Sun, Identity Mappings in Deep Residual Networks (2016), figure 4e: normalisation and ReLU come
before each convolution, so that the way past the blocks is free. Where a block halves its planes, that way is a mean
and a convolution (He, Zhang, Zhang et al., Bag of Tricks, 2019, figure 2c). Shapes: B rows, C channels, H by W places.
"""

from typing import cast

import torch
from torch import Tensor, nn

SMALLEST_SIDE = 8  # planes are halved until their first side is at most that


class Block(nn.Module):
    """(B, I, H, W) → (B, O, H / stride, W / stride); the way past it is a convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.BatchNorm2d(inputs)
        self.second = nn.BatchNorm2d(outputs)
        self.inner = _convolution(inputs, outputs, stride)
        self.outer = _convolution(outputs, outputs)
        # a convolution of 1 x 1 with a stride writes past its memory in PyTorch 2.13 (CPU, channels last, 8 channels)
        halved = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        past = nn.Sequential(halved, nn.Conv2d(inputs, outputs, 1, bias=False))
        self.past = past if stride > 1 or inputs != outputs else None

    def forward(self, x_BCHW: Tensor) -> Tensor:
        ready_BCHW = self.first(x_BCHW).relu()
        past_BCHW = x_BCHW if self.past is None else self.past(ready_BCHW)
        return cast(Tensor, past_BCHW + self.outer(self.second(self.inner(ready_BCHW)).relu()))


class ResidualTrunk(nn.Module):
    """(B, I, H, W) → (B, C, h, w): stages of `depth` blocks, each of half the size and twice the channels of the last.

    `height` is H; there are as many stages as halve it to 8 or less. Not `full`: the first stage has no block where
    others follow, as blocks cost most at full size. `rounded`: in training it multiplies in bfloat16.

    >>> trunk = ResidualTrunk(1, 28, width=16, depth=1)
    >>> trunk.channels, trunk.height, trunk(torch.zeros(2, 1, 28, 40)).shape
    (64, 7, torch.Size([2, 64, 7, 10]))
    """

    rounded = False

    def __init__(self, inputs: int, height: int, *, width: int, depth: int, full: bool = True) -> None:
        super().__init__()
        heights = [height]
        while heights[-1] > SMALLEST_SIDE:
            heights.append(-(-heights[-1] // 2))
        layers: list[nn.Module] = [_convolution(inputs, width)]
        self.channels, self.height = width, heights[-1]
        for stage in range(len(heights)):
            for place in range(depth if full or stage or len(heights) == 1 else 0):
                layers.append(Block(self.channels, width << stage, stride=2 if stage and not place else 1))
                self.channels = width << stage
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(self.channels), nn.ReLU())
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # convolutions are faster so

    def forward(self, x_BIHW: Tensor) -> Tensor:
        ready_BIHW = x_BIHW.contiguous(memory_format=torch.channels_last)
        if not (self.rounded and self.training):
            return cast(Tensor, self.layers(ready_BIHW))
        with torch.autocast(x_BIHW.device.type, torch.bfloat16):
            return cast(Tensor, self.layers(ready_BIHW)).float()


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made
