// TorchEngine: to be filled.
