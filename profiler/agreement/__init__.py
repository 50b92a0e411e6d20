"""Whether an ONNX build agrees with the GGUF file it was made from: weights, and logits on the same text."""
