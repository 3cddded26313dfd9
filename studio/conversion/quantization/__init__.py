"""The quantization types: what each tensor gets, how large the file becomes, and making it."""
