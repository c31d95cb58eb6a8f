// NativeEngine: to be filled.
