"""The ink network sees at most half a millimetre, by construction and in fact."""

from __future__ import annotations

import pytest
import torch

from danseo.core.errors import Usage
from danseo.scroll.ink.network import LIMIT_UM, STRIDE, Architecture, InkNet, reach, receptive_field


@pytest.fixture(params=[Architecture(), Architecture(depth=6, half=8, quarter=8, half_blocks=0)])
def network(request: pytest.FixtureRequest) -> InkNet:
    """A network with random weights everywhere, so that no path through it is silent."""
    torch.manual_seed(3)
    net = InkNet(request.param).eval()
    for weights in net.parameters():
        torch.nn.init.normal_(weights, std=0.2)
    return net.requires_grad_(False)


def test_the_default_network_sees_at_most_half_a_millimetre() -> None:
    assert receptive_field(InkNet()) * 7.91 <= LIMIT_UM


def test_a_deeper_network_would_see_too_far() -> None:
    assert receptive_field(InkNet(Architecture(quarter_blocks=3))) * 7.91 > LIMIT_UM


def test_pixels_beyond_the_reach_change_nothing(network: InkNet) -> None:
    far = reach(network)
    side = 160
    x = torch.rand(1, network.architecture.depth, side, side)
    before = network(x)[0]
    for row, column in [(80, 80), (81, 78), (83, 81), (82, 79)]:
        other = 1 - x
        window = (..., slice(row - far, row + far + 1), slice(column - far, column + far + 1))
        other[window] = x[window]
        after = network(other)[0]
        assert torch.equal(after[row, column], before[row, column])
        assert not torch.equal(after, before)


def test_the_reach_is_not_overstated(network: InkNet) -> None:
    """Gradients of some phase of the stride must arrive as far away as `reach` says."""
    x = torch.rand(1, network.architecture.depth, 160, 160, requires_grad=True)
    farthest = 0
    for row in range(80, 80 + STRIDE):
        (gradient,) = torch.autograd.grad(network(x)[0, row, 80], x)
        rows = gradient.abs().amax((0, 1, 3)).nonzero().flatten()
        farthest = max(farthest, row - int(rows.min()), int(rows.max()) - row)
    assert farthest == reach(network)


def test_brightness_far_away_is_no_part_of_any_normalisation() -> None:
    net = InkNet().eval()
    x = torch.rand(1, 24, 128, 256)
    bright = x.clone()
    bright[..., 128:] = 1
    with torch.no_grad():
        assert torch.equal(net(bright)[..., :96], net(x)[..., :96])


def test_a_stack_of_another_depth_is_refused() -> None:
    with pytest.raises(Usage, match=r"takes \[batch, 24, rows, columns\], not \[1, 65, 64, 64\]"):
        InkNet()(torch.zeros(1, 65, 64, 64))


def test_sides_that_do_not_fit_the_stride_are_refused() -> None:
    with pytest.raises(Usage, match="multiples of 4"):
        InkNet()(torch.zeros(1, 24, 64, 66))


def test_another_architecture_has_another_digest() -> None:
    assert Architecture().digest() != Architecture(half=16).digest()
