// AcuityError: the one error type that users read.

/// An error with a code to decide by and one line for a person to read.
///
/// The message names the file or key at fault and the reason, and fits on one line.
public struct AcuityError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of thing went wrong. A struct, so that new codes never break a `switch` elsewhere.
    public struct Code: Sendable, Hashable {
        let name: String
        /// A file is missing, unreadable, or may not be written.
        public static let file = Code(name: "file")
        /// An image could not be understood, or exceeds a limit.
        public static let image = Code(name: "image")
        /// A weights file is damaged, malicious, or of an unknown architecture.
        public static let weights = Code(name: "weights")
        /// A network is put together wrongly (shapes that do not fit).
        public static let network = Code(name: "network")
        /// A request that makes no sense: a scale of zero, an unknown model.
        public static let usage = Code(name: "usage")
        /// The result failed its health check and was not written.
        public static let health = Code(name: "health")
        /// libtorch is missing or reported an error.
        public static let torch = Code(name: "torch")
        /// Training cannot go on: a non-finite loss, a recipe that does not parse.
        public static let training = Code(name: "training")
    }

    public let code: Code
    /// One line, no full stop, e.g. `photo.jpg: truncated after 12 of 400 rows`.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
