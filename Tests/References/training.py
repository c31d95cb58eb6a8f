"""The numbers of DiscriminatorsTests and PerceptualFeaturesTests, by PyTorch's own modules.

python training.py [SQUEEZENET.safetensors]; needs torch and numpy. Weights and pictures come from one formula that both sides share.
"""
import json
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm

torch.set_num_threads(1)


def values(count, seed):
    """−0.5 … 0.5, from the index alone."""
    i = np.arange(1, count + 1, dtype=np.uint64)
    x = (i * np.uint64(2654435761) + np.uint64(seed) * np.uint64(40503)) % np.uint64(2**32)
    x = (x ^ (x >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(2**32)
    return torch.tensor((x.astype(np.float64) / 2**32 - 0.5).astype(np.float32))


def tensor(shape, seed):
    return values(int(np.prod(shape)), seed).reshape(shape)


class UNet(nn.Module):
    def __init__(self, f):
        super().__init__()
        sn = spectral_norm
        self.conv0 = nn.Conv2d(3, f, 3, 1, 1)
        self.conv1 = sn(nn.Conv2d(f, f * 2, 4, 2, 1, bias=False))
        self.conv2 = sn(nn.Conv2d(f * 2, f * 4, 4, 2, 1, bias=False))
        self.conv3 = sn(nn.Conv2d(f * 4, f * 8, 4, 2, 1, bias=False))
        self.conv4 = sn(nn.Conv2d(f * 8, f * 4, 3, 1, 1, bias=False))
        self.conv5 = sn(nn.Conv2d(f * 4, f * 2, 3, 1, 1, bias=False))
        self.conv6 = sn(nn.Conv2d(f * 2, f, 3, 1, 1, bias=False))
        self.conv7 = sn(nn.Conv2d(f, f, 3, 1, 1, bias=False))
        self.conv8 = sn(nn.Conv2d(f, f, 3, 1, 1, bias=False))
        self.conv9 = nn.Conv2d(f, 1, 3, 1, 1)

    def forward(self, x):
        act = lambda t: F.leaky_relu(t, 0.2)
        up = lambda t: F.interpolate(t, scale_factor=2, mode="bilinear", align_corners=False)
        x0 = act(self.conv0(x))
        x1 = act(self.conv1(x0))
        x2 = act(self.conv2(x1))
        x3 = act(self.conv3(x2))
        x4 = act(self.conv4(up(x3))) + x2
        x5 = act(self.conv5(up(x4))) + x1
        x6 = act(self.conv6(up(x5))) + x0
        return self.conv9(act(self.conv8(act(self.conv7(x6)))))


class VGG(nn.Module):
    def __init__(self, f, stages):
        super().__init__()
        self.stages, width = stages, 3
        for s in range(stages):
            n = f * min(8, 2**s)
            setattr(self, f"conv{s}_0", nn.Conv2d(width, n, 3, 1, 1, bias=s == 0))
            if s:
                setattr(self, f"bn{s}_0", nn.BatchNorm2d(n))
            setattr(self, f"conv{s}_1", nn.Conv2d(n, n, 4, 2, 1, bias=False))
            setattr(self, f"bn{s}_1", nn.BatchNorm2d(n))
            width = n
        self.linear1, self.linear2 = nn.Linear(width * 16, 100), nn.Linear(100, 1)

    def forward(self, x):
        act = lambda t: F.leaky_relu(t, 0.2)
        for s in range(self.stages):
            x = getattr(self, f"conv{s}_0")(x)
            x = act(getattr(self, f"bn{s}_0")(x) if s else x)
            x = act(getattr(self, f"bn{s}_1")(getattr(self, f"conv{s}_1")(x)))
        return self.linear2(act(self.linear1(x.flatten(1))))


def fill(net):
    """Every state tensor in the order of its sorted keys."""
    state = net.state_dict()
    for seed, key in enumerate(sorted(k for k in state if "num_batches" not in k)):
        t = tensor(tuple(state[key].shape), seed + 1)
        if key.endswith("_u") or key.endswith("_v"):
            t = t / t.norm()
        if key.endswith("running_var") or (key.startswith("bn") and key.endswith("weight")):
            t = t + 1
        state[key] = t
    net.load_state_dict(state)
    return net


def show(name, *numbers):
    print(name, [float(f"{float(n):.8g}") for n in numbers])


for name, net, side in [("unet", fill(UNet(4)), 16), ("vgg", fill(VGG(4, 3)), 32)]:
    net.train()
    made = tensor((2, 3, side, side), 100).add(0.5).requires_grad_()
    real = tensor((2, 3, side, side), 200).add(0.5)
    if name == "unet":
        net(made.detach())  # one power iteration, then the weights stay put
        frozen = {k: v.clone() for k, v in net.state_dict().items()}
        net.load_state_dict(fill(UNet(4)).state_dict())
    logits = net(made)
    if name == "unet":
        # the second batch of the same step is judged with the same weights: no second iteration
        net.eval()
    other = net(real)
    show(name + " logits", logits.flatten()[0], logits.flatten()[-1], logits.mean(), other.mean())
    bce = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones_like(logits), torch.zeros_like(logits)
    vanilla = bce(logits, ones)
    show(name + " vanilla generator", vanilla, torch.autograd.grad(vanilla, made, retain_graph=True)[0].norm())
    d = other.detach()
    ra = (bce(d - logits.mean(), zeros) + bce(logits - d.mean(), ones)) / 2
    show(name + " relativistic generator", ra, torch.autograd.grad(ra, made, retain_graph=True)[0].norm())
    parameters = [p for _, p in sorted(net.named_parameters())]
    loss = bce(other, ones) + bce(logits, zeros)
    g = torch.autograd.grad(loss, parameters, retain_graph=True)
    show(name + " vanilla discriminator", loss, g[0].norm(), g[-1].norm(), sum(x.norm() ** 2 for x in g) ** 0.5)
    loss = (bce(other - logits.detach().mean(), ones) + bce(logits - other.detach().mean(), zeros)) / 2
    g = torch.autograd.grad(loss, parameters, retain_graph=True)
    show(name + " relativistic discriminator", loss, sum(x.norm() ** 2 for x in g) ** 0.5)
    state = net.state_dict()
    if name == "vgg":
        show("vgg running", state["bn0_1.running_mean"][0], state["bn2_1.running_var"][1])
    else:
        show("unet u", state["conv1.weight_u"][0], state["conv8.weight_v"][3])

if len(sys.argv) > 1:
    raw = open(sys.argv[1], "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + n])
    header.pop("__metadata__", None)
    kinds = {"F32": np.float32, "F16": np.float16}
    w = {
        k: torch.tensor(np.frombuffer(raw[8 + n + v["data_offsets"][0] : 8 + n + v["data_offsets"][1]], kinds[v["dtype"]]).astype(np.float32).reshape(v["shape"]))
        for k, v in header.items()
    }

    def features(x):
        conv = lambda x, k, **a: F.conv2d(x, w[k + ".weight"], w[k + ".bias"], **a)
        taps = {}
        x = x * 255 - torch.tensor([123.0, 117.0, 104.0]).view(1, 3, 1, 1)
        x = taps[0] = conv(x, "features.0", stride=2)
        x = F.max_pool2d(F.relu(x), 3, 2, ceil_mode=True)
        for i in [3, 4, 5, 7, 8, 9, 10, 12]:
            s = F.relu(conv(x, f"features.{i}.squeeze"))
            x = taps[i] = torch.cat([conv(s, f"features.{i}.expand1x1"), conv(s, f"features.{i}.expand3x3", padding=1)], 1)
            x = F.relu(x)
            if i in (5, 10):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        return taps

    a, b = tensor((1, 3, 64, 72), 5).add(0.5).requires_grad_(), tensor((1, 3, 64, 72), 6).add(0.5)
    b = 0.5 * b + 0.5 * a.detach()
    layers = [0, 4, 5, 8, 10]
    p, q = features(a), features(b)
    loss = sum(F.l1_loss(p[i], q[i]) / q[i].abs().mean() for i in layers)
    show("squeezenet loss", loss, torch.autograd.grad(loss, a)[0].norm())
    unit = lambda t: F.normalize(F.relu(t), dim=1, eps=1e-10)
    show("squeezenet distance", sum(((unit(p[i]) - unit(q[i])) ** 2).sum(1).mean() for i in layers) / len(layers))
    show("squeezenet shapes", *[p[i].shape[-1] for i in layers])
