"""Reader of QONNX files: ONNX graphs whose Quant nodes say how weights and activations are quantized."""
