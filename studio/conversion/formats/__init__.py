"""Read and write the two file formats of weights, GGUF and safetensors, block by block and trusting nothing."""
