"""A training step against the same step written in PyTorch, in turns in one run.

usage: training.py TRAINER [--threads N] [--rounds N] [--steps N] [--precision bf16|fp32]

TRAINER is the built acuity-trainer; torch (PyPI) has to be importable. Both sides: one batch made beforehand, forward, L1, backward,
Adam, running average of the weights, channels-last, the same precision and threads; PyTorch with autocast and its fused Adam. Prints one JSON
object per network; `ratio` above 1 means that Acuity's step is the faster.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


class Cases:
    @staticmethod
    def compact(nn, F, scale=4, features=48, convolutions=8):
        class Compact(nn.Module):
            def __init__(self):
                super().__init__()
                body = [nn.Conv2d(3, features, 3, 1, 1), nn.PReLU(features)]
                for _ in range(convolutions):
                    body += [nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features)]
                self.body = nn.Sequential(*body, nn.Conv2d(features, 3 * scale * scale, 3, 1, 1), nn.PixelShuffle(scale))

            def forward(self, x):
                return self.body(x) + F.interpolate(x, scale_factor=scale, mode="nearest")

        return Compact()

    @staticmethod
    def msrresnet(nn, F, features=64, blocks=16):
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1, self.conv2 = nn.Conv2d(features, features, 3, 1, 1), nn.Conv2d(features, features, 3, 1, 1)

            def forward(self, x):
                return x + self.conv2(F.relu(self.conv1(x)))

        class MSRResNet(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv_first = nn.Conv2d(3, features, 3, 1, 1)
                self.body = nn.Sequential(*[Block() for _ in range(blocks)])
                self.upconv1, self.upconv2 = nn.Conv2d(features, 4 * features, 3, 1, 1), nn.Conv2d(features, 4 * features, 3, 1, 1)
                self.conv_hr, self.conv_last = nn.Conv2d(features, features, 3, 1, 1), nn.Conv2d(features, 3, 3, 1, 1)

            def forward(self, x):
                act = lambda t: F.leaky_relu(t, 0.1)
                y = self.body(act(self.conv_first(x)))
                y = act(F.pixel_shuffle(self.upconv1(y), 2))
                y = act(F.pixel_shuffle(self.upconv2(y), 2))
                y = self.conv_last(act(self.conv_hr(y)))
                return y + F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)

        return MSRResNet()


CASES = [
    ("fast x4", {"name": "Compact", "features": 48, "convolutions": 8}, Cases.compact, 8, 48),
    ("MSRResNet 64x16 x4", {"name": "MSRResNet", "features": 64, "blocks": 16}, Cases.msrresnet, 2, 32),
]


def pytorch(torch, make, batch, side, steps, precision, adam):
    """A closure that times `steps` steps, milliseconds each."""
    torch.manual_seed(1)
    net = make(torch.nn, torch.nn.functional).to(memory_format=torch.channels_last)
    parameters = list(net.parameters())
    average = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.Adam(parameters, lr=1e-6, betas=(0.9, 0.99), **adam)
    low = torch.rand(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    high = torch.rand(batch, 3, side * 4, side * 4).contiguous(memory_format=torch.channels_last)

    def run():
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                output = net(low)
            torch.nn.functional.l1_loss(output.float(), high).backward()
            optimiser.step()
            torch._foreach_lerp_(average, [p.detach() for p in parameters], 0.001)
            times.append((time.perf_counter() - start) * 1000)
        return times

    return run, sum(p.numel() for p in parameters)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trainer")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--case", default="")
    options = parser.parse_args()
    # As the trainer sets it; threads that spin between operations starve their neighbours.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    torch.set_num_threads(options.threads)
    slower = False
    for name, architecture, make, batch, side in CASES:
        if options.case not in name:
            continue
        recipe = {
            "name": "bench", "architecture": architecture, "scale": 4, "minutes": 1, "batch": batch, "patch": side, "precision": options.precision,
            "optimiser": {"name": "adam", "rate": 0.001}, "data": ["shards/photos.safetensors"], "validation": "none",
        }
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "recipe.json")
            with open(path, "w") as file:
                json.dump(recipe, file)
            run, parameters = pytorch(torch, make, batch, side, options.steps, options.precision, {"fused": True})
            run()
            ours, theirs, batches, version = [], [], [], ""
            for _ in range(options.rounds):
                result = subprocess.run(
                    [options.trainer, "bench", path, "--steps", str(options.steps + 2), "--threads", str(options.threads)],
                    check=True, capture_output=True, text=True)
                result = json.loads(result.stdout)
                assert result["parameters"] == parameters, f"{name}: {result['parameters']} parameters here, {parameters} in PyTorch"
                ours.append(statistics.median(result["milliseconds"][2:]))
                theirs.append(statistics.median(run()))
                batches.append(result["batch_milliseconds"])
                version = result["libtorch"]
        # Load from elsewhere only ever slows down: the best round of each is the cleanest.
        ratio = min(theirs) / min(ours)
        slower |= ratio < 1
        print(json.dumps({
            "network": name, "batch": batch, "patch": side, "precision": options.precision, "threads": options.threads, "libtorch": version,
            "torch": torch.__version__, "acuity_ms": round(min(ours), 1), "pytorch_ms": round(min(theirs), 1), "ratio": round(ratio, 3),
            "ratio_of_medians": round(statistics.median(theirs) / statistics.median(ours), 3),
            "batch_ms": None if None in batches else round(min(batches), 2),
        }), flush=True)
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
