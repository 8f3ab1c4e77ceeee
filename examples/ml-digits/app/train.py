"""Trains a small network on the 1,797 handwritten digits that scikit-learn brings, and writes it as ONNX.

usage: train.py DIGITS.csv.gz DIRECTORY. DIRECTORY gets digits.onnx and samples.json: 20 digits that were not trained on.
The data is the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak; UCI, CC BY 4.0).
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PIXELS, HIDDEN, DIGITS = 64, 64, 10
HELD_BACK = 400


def softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def train(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Weights and biases of both layers, by gradient descent with momentum."""
    parameters = [
        rng.normal(0, (2 / PIXELS) ** 0.5, (PIXELS, HIDDEN)),
        np.zeros(HIDDEN),
        rng.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, DIGITS)),
        np.zeros(DIGITS),
    ]
    speed = [np.zeros_like(p) for p in parameters]
    wanted = np.eye(DIGITS)[y]
    for _ in range(60):
        for batch in np.array_split(rng.permutation(len(x)), len(x) // 32):
            w1, b1, w2, b2 = parameters
            hidden = np.maximum(x[batch] @ w1 + b1, 0)
            error = (softmax(hidden @ w2 + b2) - wanted[batch]) / len(batch)
            back = (error @ w2.T) * (hidden > 0)
            slopes = [x[batch].T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]
            speed = [0.9 * v - 0.1 * s for v, s in zip(speed, slopes, strict=True)]
            parameters = [p + v for p, v in zip(parameters, speed, strict=True)]
    return [p.astype(np.float32) for p in parameters]


def to_onnx(parameters: list[np.ndarray]) -> onnx.ModelProto:
    names = ["w1", "b1", "w2", "b2"]
    nodes = [
        helper.make_node("Div", ["pixels", "white"], ["x"]),
        helper.make_node("Gemm", ["x", "w1", "b1"], ["before"]),
        helper.make_node("Relu", ["before"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w2", "b2"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["digit"], axis=1, keepdims=0),
    ]
    constants = [numpy_helper.from_array(p, n) for n, p in zip(names, parameters, strict=True)]
    constants.append(numpy_helper.from_array(np.float32(16), "white"))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [None, PIXELS])],
        [
            helper.make_tensor_value_info("digit", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, DIGITS]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def main(data: str, directory: str) -> None:
    rows = np.loadtxt(data, delimiter=",")
    rng = np.random.default_rng(0)
    rng.shuffle(rows)
    pixels, digits = rows[:, :-1], rows[:, -1].astype(int)
    parameters = train(pixels[HELD_BACK:] / 16, digits[HELD_BACK:], rng)
    w1, b1, w2, b2 = parameters
    told = (np.maximum(pixels[:HELD_BACK] / 16 @ w1 + b1, 0) @ w2 + b2).argmax(axis=1)
    accuracy = float((told == digits[:HELD_BACK]).mean())
    if accuracy < 0.95:
        sys.exit(f"only {accuracy:.3f} of the digits held back are told right")
    out = Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(parameters), out / "digits.onnx")
    samples = [{"x": pixels[i].tolist(), "y": int(digits[i])} for i in range(20)]
    (out / "samples.json").write_text(json.dumps(samples))
    print(f"{accuracy:.3f} of {HELD_BACK} digits held back are told right")


if __name__ == "__main__":
    main(*sys.argv[1:])
