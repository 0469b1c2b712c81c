"""ONNX: graphs written as models, files of any program read, checked and cut."""
