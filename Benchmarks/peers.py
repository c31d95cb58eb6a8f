# peers.py: the same weights, input and threads in ncnn, ONNX Runtime, OpenVINO and Acuity, measured in turns.
# Run it as `./run peers`, which installs the peers and builds Acuity. The table goes to standard output (or one JSON
# object with --json); what is going on goes to standard error.
import argparse
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCALE = 4
# What we are measured at: the engine's own choice, which is the one the ratio counts, and both precisions by force.
OURS = ("default", "bf16", "fp32")


def note(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


# --- weights -------------------------------------------------------------------------------------------------------


def random_compact(features, convolutions, seed=1):
    """A Compact network (SRVGGNetCompact) with weights that keep activations near one and the residual small."""
    rng = np.random.default_rng(seed)
    weights, inputs = {}, 3
    for layer in range(convolutions + 2):
        last = layer == convolutions + 1
        outputs = 3 * SCALE**2 if last else features
        deviation = np.sqrt(2 / (inputs * 9)) * (0.05 if last else 1)
        weights[f"body.{2 * layer}.weight"] = rng.normal(0, deviation, (outputs, inputs, 3, 3)).astype(np.float32)
        weights[f"body.{2 * layer}.bias"] = rng.normal(0, 0.01, outputs).astype(np.float32)
        if not last:
            weights[f"body.{2 * layer + 1}.weight"] = rng.uniform(0.05, 0.3, outputs).astype(np.float32)
        inputs = outputs
    return weights


def write_safetensors(path, weights):
    header, offset = {}, 0
    for key, value in weights.items():
        header[key] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in weights.values():
            file.write(np.ascontiguousarray(value).tobytes())


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    types = {"F32": np.float32, "F16": np.float16}
    result = {}
    for key, entry in header.items():
        first, end = (8 + length + offset for offset in entry["data_offsets"])
        result[key] = np.frombuffer(data[first:end], types[entry["dtype"]]).reshape(entry["shape"]).astype(np.float32)
    return result


def layers(weights):
    """(weight, bias, slopes or None) in order."""
    last = max(int(key.split(".")[1]) for key in weights)
    return [
        (weights[f"body.{i}.weight"], weights[f"body.{i}.bias"], weights.get(f"body.{i + 1}.weight"))
        for i in range(0, last + 1, 2)
    ]


def multiplications(weights):
    """Per input pixel, counted as direct convolution."""
    return sum(weight.size for weight, _, _ in layers(weights))


# --- the peers' formats --------------------------------------------------------------------------------------------


def write_ncnn(stem, weights):
    """`stem`.param (text) and `stem`.bin (raw floats; a zero word before each convolution says: not compressed)."""
    steps, blob, previous = [], [], "x1"
    steps.append("Input input 0 1 data")
    steps.append("Split split 1 2 data x1 x2")
    for i, (weight, bias, slopes) in enumerate(layers(weights)):
        outputs = weight.shape[0]
        steps.append(f"Convolution conv{i} 1 1 {previous} c{i} 0={outputs} 1=3 4=1 5=1 6={weight.size}")
        blob += [b"\0\0\0\0", weight.tobytes(), bias.tobytes()]
        previous = f"c{i}"
        if slopes is not None:
            steps.append(f"PReLU prelu{i} 1 1 {previous} p{i} 0={outputs}")
            blob.append(slopes.tobytes())
            previous = f"p{i}"
    steps.append(f"PixelShuffle shuffle 1 1 {previous} shuffled 0={SCALE}")
    steps.append(f"Interp enlarge 1 1 x2 enlarged 0=1 1={SCALE}.0 2={SCALE}.0")
    steps.append("BinaryOp add 2 1 shuffled enlarged output 0=0")
    blobs = len(steps) + 1  # every step has one output, the split has two
    with open(stem + ".param", "w") as file:
        file.write(f"7767517\n{len(steps)} {blobs}\n" + "\n".join(steps) + "\n")
    with open(stem + ".bin", "wb") as file:
        file.write(b"".join(blob))


def write_onnx(path, weights, side):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, initialisers, previous = [], [], "data"

    def constant(name, value):
        initialisers.append(numpy_helper.from_array(value, name))
        return name

    for i, (weight, bias, slopes) in enumerate(layers(weights)):
        inputs = [previous, constant(f"w{i}", weight), constant(f"b{i}", bias)]
        nodes.append(helper.make_node("Conv", inputs, [f"c{i}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        previous = f"c{i}"
        if slopes is not None:
            nodes.append(helper.make_node("PRelu", [previous, constant(f"s{i}", slopes.reshape(-1, 1, 1))], [f"p{i}"]))
            previous = f"p{i}"
    nodes.append(helper.make_node("DepthToSpace", [previous], ["shuffled"], blocksize=SCALE, mode="CRD"))
    factors = constant("factors", np.float32([1, 1, SCALE, SCALE]))
    nodes.append(
        helper.make_node(
            "Resize", ["data", "", factors], ["enlarged"], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    )
    nodes.append(helper.make_node("Add", ["shuffled", "enlarged"], ["output"]))
    graph = helper.make_graph(
        nodes, "compact",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, side * SCALE, side * SCALE])],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


# --- the peers -----------------------------------------------------------------------------------------------------


def ncnn_runner(stem, bf16, threads):
    import ncnn

    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = threads
    net.opt.use_bf16_storage = bf16
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param(stem + ".param") or net.load_model(stem + ".bin"):
        raise RuntimeError("ncnn does not load the network")

    def run(x):
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(x[0]))
        return np.array(extractor.extract("output")[1])[None]

    return run


def onnxruntime_runner(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"data": x})[0]


def openvino_runner(path, bf16, threads):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(path), "CPU",
        {"INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"},
    )
    request = compiled.create_infer_request()

    def run(x):
        request.infer({0: x})
        return request.get_output_tensor(0).data.copy()

    return run


# --- Acuity --------------------------------------------------------------------------------------------------------


class Acuity:
    """`acuity turns`: the network kept ready in its own process, run once for every line it is sent."""

    def __init__(self, acuity, weights, side, precision, threads, x, folder):
        source, result = os.path.join(folder, "input.f32"), os.path.join(folder, f"{precision}.f32")
        np.ascontiguousarray(x[0].transpose(1, 2, 0)).tofile(source)
        self.process = subprocess.Popen(
            [acuity, "turns", "-n", weights, "--side", str(side), "-j", str(threads), "--input", source, "--output", result]
            + (["--precision", precision] if precision != "default" else []),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"peers: {acuity} turns did not start")
        self.output = np.fromfile(result, np.float32).reshape(side * SCALE, side * SCALE, 3).transpose(2, 0, 1)[None]

    def milliseconds(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# --- the comparison ------------------------------------------------------------------------------------------------


def picture(side):
    """A smooth picture with edges: what these networks see, unlike white noise."""
    y, x = np.mgrid[0:side, 0:side] / side
    waves = np.stack([np.sin(7 * x + 3 * y), np.sin(11 * y - 4 * x), np.cos(9 * x * y)], -1) * 0.2 + 0.5
    waves[((x - 0.5) ** 2 + (y - 0.5) ** 2) < 0.08] += 0.25
    rng = np.random.default_rng(2)
    return np.clip(waves * 255 + rng.normal(0, 2, waves.shape), 0, 255).round().astype(np.uint8)


def compare(name, weights, path, arguments, folder):
    side, threads = arguments.side, arguments.threads
    note(f"{name}: preparing every engine")
    stem = os.path.join(folder, name)
    write_ncnn(stem, weights)
    write_onnx(stem + ".onnx", weights, side)
    pixels = picture(side)
    x = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    runners = {
        ("ncnn", "bf16"): ncnn_runner(stem, True, threads),
        ("ncnn", "fp32"): ncnn_runner(stem, False, threads),
        ("ONNX Runtime", "fp32"): onnxruntime_runner(stem + ".onnx", threads),
        ("OpenVINO", "bf16"): openvino_runner(stem + ".onnx", True, threads),
        ("OpenVINO", "fp32"): openvino_runner(stem + ".onnx", False, threads),
    }

    ours = {precision: Acuity(arguments.acuity, path, side, precision, threads, x, folder) for precision in OURS}

    # Nothing is timed before all agree on the result.
    reference = runners["ONNX Runtime", "fp32"](x)
    outputs = {key: run(x) for key, run in runners.items()}
    outputs.update({("Acuity", precision): engine.output for precision, engine in ours.items()})
    rows = {}
    for key, output in outputs.items():
        difference = float(np.abs(output - reference).max())
        rows[key] = {"engine": key[0], "precision": key[1], "max_difference": difference}
        note(f"{name}: {key[0]} {key[1]} differs from ONNX Runtime fp32 by at most {difference:.1e}")
        if not difference <= (1e-3 if key[1] == "fp32" else 0.1):
            sys.exit(f"peers: {name}: {key[0]} {key[1]} does not compute the same network")

    def timed(run):
        start = time.perf_counter()
        run(x)
        return 1000 * (time.perf_counter() - start)

    times = {key: [] for key in rows}
    for turn in range(arguments.rounds):
        note(f"{name}: round {turn + 1} of {arguments.rounds}")
        for key, run in runners.items():
            times[key].append(statistics.median(timed(run) for _ in range(arguments.runs)))
            # Ours after every peer, so that whatever else the machine does hits both alike.
            for precision in (key[1], "default"):
                times["Acuity", precision].append(statistics.median(ours[precision].milliseconds() for _ in range(arguments.runs)))
    for engine in ours.values():
        engine.close()
    operations = 2 * multiplications(weights) * side * side
    for key, row in rows.items():
        row["milliseconds"] = statistics.median(times[key])
        row["gflops"] = operations / row["milliseconds"] / 1e6
    peers = [row for row in rows.values() if row["engine"] != "Acuity"]
    fastest = min(peers, key=lambda row: row["milliseconds"])
    return {
        "network": name,
        "input": f"{side}x{side}",
        "rows": sorted(rows.values(), key=lambda row: row["milliseconds"]),
        "fastest_peer": f"{fastest['engine']} {fastest['precision']}",
        "ratio": fastest["milliseconds"] / rows["Acuity", "default"]["milliseconds"],
        "ratio_fp32": min(row["milliseconds"] for row in peers if row["precision"] == "fp32") / rows["Acuity", "fp32"]["milliseconds"],
    }


def main():
    parser = argparse.ArgumentParser(prog="./run peers", description="The same weights in ncnn, ONNX Runtime, OpenVINO and Acuity.")
    parser.add_argument("--acuity", default=os.path.join(ROOT, ".build/release/acuity"), help="the command to measure")
    parser.add_argument("--rounds", type=int, default=5, help="turns that every engine gets")
    parser.add_argument("--runs", type=int, default=3, help="inferences per turn, of which the median counts")
    parser.add_argument("--side", type=int, default=256, help="side of the input in pixels")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--weights", default=os.path.join(ROOT, "../shared/peers/realesr-general-x4v3.safetensors"),
                        help="a second Compact x4 network; left out if the file is not there")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    arguments = parser.parse_args()

    results = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "compact-64x16.safetensors")
        write_safetensors(path, random_compact(64, 16))
        results.append(compare("compact-64x16-x4", read_safetensors(path), path, arguments, folder))
        if os.path.exists(arguments.weights):
            name = os.path.splitext(os.path.basename(arguments.weights))[0]
            results.append(compare(name, read_safetensors(arguments.weights), arguments.weights, arguments, folder))
        else:
            note(f"{arguments.weights} is not there; measuring one network only")

    if arguments.json:
        print(json.dumps({"cpu": cpu(), "threads": arguments.threads, "results": results}, indent=2))
        return
    print(f"{cpu()}, {arguments.threads} threads, medians of {arguments.rounds} rounds\n")
    for result in results:
        print(f"{result['network']}, input {result['input']}\n")
        print("| engine | precision | ms | GFLOP/s | max difference from ONNX Runtime fp32 |\n|---|---|---|---|---|")
        for row in result["rows"]:
            print(f"| {row['engine']} | {row['precision']} | {row['milliseconds']:.1f} | {row['gflops']:.0f} | {row['max_difference']:.1e} |")
        print(f"\nAcuity is {result['ratio']:.2f} times as fast as the fastest peer, {result['fastest_peer']}"
              f" (fp32 against fp32: {result['ratio_fp32']:.2f}).\n")


def cpu():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
