"""A GGUF file as two ONNX graphs of fixed lengths, as accelerators for neural networks want them."""
