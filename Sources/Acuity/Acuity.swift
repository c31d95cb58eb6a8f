// Acuity: one import for the library: pictures, models, the engine, and the upscaler that brings them together.

@_exported public import Imaging
@_exported public import NativeEngine
@_exported public import SuperResolution
