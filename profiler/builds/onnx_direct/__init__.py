"""A GGUF file as an ONNX folder with the same weights."""
