// PictureUpscaling: enlarges whole pictures: colour by the upscaler, alpha beside it, metadata carried over.

public import Imaging
public import SuperResolution

extension Upscaler {
    /// The enlarged picture, with its alpha, profile and metadata.
    ///
    /// Colour under fully transparent pixels is first replaced by what surrounds it, so that no dark or bright rim
    /// appears; alpha is enlarged beside it, as ``upscale(opacity:progress:)`` says.
    /// - Parameters:
    ///   - file: the JPEG file that the picture was read from: where ``locksJPEG`` says so, the result keeps to it.
    ///   - progress: the finished fraction, 0…1, from any thread.
    /// - Throws: ``AcuityError``; `CancellationError` when the task is cancelled.
    public func upscale(
        _ picture: Picture, of file: JPEGCoefficients? = nil, progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> Picture {
        // Where copies of a texture lie side by side, what is transparent at an edge is surrounded by the other edge too; the
        // few pixels that this concerns are left to what is near them in one copy.
        let visible = picture.alpha.map { picture.pixels.bled(under: $0) } ?? picture.pixels
        var result = picture
        // Alpha costs as much as colour, unless it says the same everywhere.
        let share = picture.alpha.map { $0.isUniform ? 0 : 0.5 } ?? 0
        result.pixels = try await upscale(visible) { progress($0 * (1 - share)) }
        if let file, locksJPEG { result.pixels = try await result.pixels.held(to: file, like: picture.pixels) }
        if let alpha = picture.alpha { result.alpha = try await upscale(opacity: alpha) { progress(1 - share + $0 * share) } }
        return result
    }

    /// All pictures of a file, one after the other.
    /// - Parameters:
    ///   - file: as for one picture.
    ///   - progress: the finished fraction, 0…1, from any thread.
    /// - Throws: ``AcuityError``, `.image` where all of them together would have too many pixels; `CancellationError`
    ///   when the task is cancelled.
    public func upscale(
        _ sequence: PictureSequence, of file: JPEGCoefficients? = nil, progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> PictureSequence {
        let (width, height) = try outputSize(width: sequence.width, height: sequence.height)
        let count = sequence.pictures.count
        guard width * height <= maximumPixels / count else {
            throw AcuityError(.image, "\(count) pictures of \(width)×\(height) pixels would be needed, more than the limit of \(maximumPixels / 1_000_000) megapixels together")
        }
        var result = sequence
        for index in 0..<count {
            // Animations hold still now and then.
            let (now, before) = (sequence.pictures[index], index > 0 ? sequence.pictures[index - 1] : nil)
            if let before, before.pixels == now.pixels, before.alpha == now.alpha {
                result.pictures[index] = result.pictures[index - 1]
            } else {
                result.pictures[index] = try await upscale(now, of: file) { progress((Double(index) + $0) / Double(count)) }
            }
        }
        progress(1)
        return result
    }

    /// Whether a file's coefficients have a say in what becomes of it.
    package func isHeld(_ header: PictureHeader) throws -> Bool {
        let size = try outputSize(width: header.width, height: header.height)
        let bytes = header.width * header.height * header.channels * MemoryLayout<Int16>.size
        return locksJPEG && header.format == .jpeg && size.width >= header.width && size.height >= header.height && bytes <= JPEGCoefficients.most
    }

    /// Bytes that it takes to hold a result to its file, beside the result: the coefficients, rows that wait for what is measured below them, strips of floats.
    package func memoryHolding(_ header: PictureHeader, channels: Int, depth: Int) throws -> Int {
        let size = try outputSize(width: header.width, height: header.height)
        let waiting = 2 * JPEGLockedRows.lookAhead * (size.height / header.height + 1) * size.width * channels * depth
        return header.width * header.height * channels * MemoryLayout<Int16>.size + waiting + 4 * JPEGLockedRows.stripSamples * MemoryLayout<Float>.size
    }
}

extension Picture {
    /// Writes the picture, whole or not at all, in the format that the file's extension names.
    /// - Throws: ``AcuityError`` if the file exists already or may not be written.
    public func write(to path: String) throws { _ = try write(to: path, options: WritingOptions()) }
}
