"""The six networks of the paper's protocol in plain PyTorch, layer for layer those of leukbench.

They take uint8 images of shape ``(n, channels, height, width)`` and give logits; GoogLeNet gives a list
in training, the main head first. Nothing of leukbench is imported: a Python with PyTorch and NumPy
alone can run this.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

VGG = {
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
VGG_WIDTHS = (64, 128, 256, 512, 512)
INCEPTIONS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Scale(nn.Module):
    """Bytes to numbers around what the networks expect."""

    def __init__(self, divisor: float, offset: float = 0.0) -> None:
        super().__init__()
        self.divisor, self.offset = divisor, offset

    def forward(self, x: Tensor) -> Tensor:
        """Divide and shift."""
        return x.float() / self.divisor + self.offset


def conv_relu(inputs: int, width: int, kernel: int, padding: int, stride: int = 1) -> nn.Sequential:
    """A convolution with bias, and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, width, kernel, stride, padding), nn.ReLU(inplace=True))


def modified_cnn(channels: int, side: int, classes: int) -> nn.Module:
    """Three convolutions and two hidden layers."""
    layers: list[nn.Module] = [Scale(255.0)]
    inputs = channels
    for width in (32, 64, 64):
        layers += [conv_relu(inputs, width, 3, 0), nn.MaxPool2d(2)]
        inputs, side = width, (side - 2) // 2
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(inputs * side * side, 128),
        nn.ReLU(inplace=True),
        nn.Linear(128, 128),
        nn.ReLU(inplace=True),
        nn.Linear(128, classes),
    )


def vgg(channels: int, side: int, classes: int, depth: int) -> nn.Module:
    """VGG-16 or VGG-19."""
    layers: list[nn.Module] = [Scale(255.0)]
    inputs = channels
    for width, convolutions in zip(VGG_WIDTHS, VGG[depth], strict=True):
        for _ in range(convolutions):
            layers.append(conv_relu(inputs, width, 3, 1))
            inputs = width
        layers.append(nn.MaxPool2d(2))
        side //= 2
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(inputs * side * side, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, classes),
    )


def alexnet(channels: int, side: int, classes: int) -> nn.Module:
    """AlexNet in one column, with leukbench's stride of the stem."""
    stride = 4 if side >= 128 else 2 if side >= 64 else 1
    body = nn.Sequential(
        conv_relu(channels, 64, 11, 2, stride),
        nn.MaxPool2d(3, 2),
        conv_relu(64, 192, 5, 2),
        nn.MaxPool2d(3, 2),
        conv_relu(192, 384, 3, 1),
        conv_relu(384, 256, 3, 1),
        conv_relu(256, 256, 3, 1),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
    )
    flat = body(torch.zeros(1, channels, side, side)).shape[1]
    return nn.Sequential(
        Scale(255.0),
        body,
        nn.Dropout(0.5),
        nn.Linear(flat, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, classes),
    )


class Inception(nn.Module):
    """Four paths side by side."""

    def __init__(
        self, inputs: int, one: int, three_in: int, three: int, five_in: int, five: int, pool: int
    ) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            [
                conv_relu(inputs, one, 1, 0),
                nn.Sequential(conv_relu(inputs, three_in, 1, 0), conv_relu(three_in, three, 3, 1)),
                nn.Sequential(conv_relu(inputs, five_in, 1, 0), conv_relu(five_in, five, 5, 2)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), conv_relu(inputs, pool, 1, 0)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Join the paths' maps."""
        return torch.cat([path(x) for path in self.paths], dim=1)


def auxiliary_head(inputs: int, side: int, classes: int) -> nn.Module:
    """An auxiliary classifier of GoogLeNet."""
    left = (side - 5) // 3 + 1 if side >= 5 else 1
    return nn.Sequential(
        nn.AvgPool2d(5, 3) if side >= 5 else nn.AdaptiveAvgPool2d(1),
        conv_relu(inputs, 128, 1, 0),
        nn.Flatten(),
        nn.Linear(128 * left * left, 1024),
        nn.ReLU(inplace=True),
        nn.Dropout(0.7),
        nn.Linear(1024, classes),
    )


class GoogLeNet(nn.Module):
    """GoogLeNet with both auxiliary heads."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        modules = {name: Inception(*widths) for name, widths in INCEPTIONS.items()}
        stride = 2 if side >= 96 else 1
        self.stem = nn.Sequential(
            Scale(255.0),
            conv_relu(channels, 64, 7, 3, stride),
            nn.MaxPool2d(3, 2, 1),
            conv_relu(64, 64, 1, 0),
            conv_relu(64, 192, 3, 1),
            nn.MaxPool2d(3, 2, 1),
            modules["3a"],
            modules["3b"],
            nn.MaxPool2d(3, 2, 1),
            modules["4a"],
        )
        self.middle = nn.Sequential(modules["4b"], modules["4c"], modules["4d"])
        self.top = nn.Sequential(
            modules["4e"],
            nn.MaxPool2d(3, 2, 1),
            modules["5a"],
            modules["5b"],
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.4),
            nn.Linear(1024, classes),
        )
        for _ in range(3 + (stride == 2)):
            side = -(-side // 2)
        self.auxiliary = nn.ModuleList(
            [auxiliary_head(512, side, classes), auxiliary_head(528, side, classes)]
        )

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits of the main head, in training followed by those of the auxiliary heads."""
        first = self.stem(x)
        second = self.middle(first)
        out: Tensor = self.top(second)
        if not self.training:
            return out
        return [out, self.auxiliary[0](first), self.auxiliary[1](second)]


def conv_norm(
    inputs: int, width: int, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """A convolution without bias, normalisation, and ReLU6 where wanted."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, width, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width, eps=1e-3),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if relu else []))


class InvertedResidual(nn.Module):
    """Expand, filter each map, project; the input is added where the shape stays."""

    def __init__(self, inputs: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.adds = stride == 1 and inputs == width
        self.path = nn.Sequential(
            *([conv_norm(inputs, inner, 1)] if expansion > 1 else []),
            conv_norm(inner, inner, 3, stride, groups=inner),
            conv_norm(inner, width, 1, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The block."""
        out: Tensor = self.path(x)
        return x + out if self.adds else out


def mobilenet_v2(channels: int, side: int, classes: int) -> nn.Module:
    """MobileNetV2."""
    layers: list[nn.Module] = [Scale(127.5, -1.0), conv_norm(channels, 32, 3, 2)]
    inputs = 32
    for expansion, width, repetitions, stride in STAGES:
        for repetition in range(repetitions):
            strides = stride if repetition == 0 else 1
            layers.append(InvertedResidual(inputs, width, strides, expansion))
            inputs = width
    return nn.Sequential(
        *layers,
        conv_norm(inputs, 1280, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(1280, classes),
    )


NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "modified_cnn": modified_cnn,
    "vgg16": lambda *shape: vgg(*shape, depth=16),
    "vgg19": lambda *shape: vgg(*shape, depth=19),
    "alexnet": alexnet,
    "googlenet": GoogLeNet,
    "mobilenet_v2": mobilenet_v2,
}


def parameter_count(network: nn.Module) -> int:
    """Weights, running means and running variances, as Keras counts them."""
    running = [b for name, b in network.named_buffers() if "num_batches_tracked" not in name]
    return sum(tensor.numel() for tensor in [*network.parameters(), *running])
