// TrainingInterruption: Ctrl-C and SIGTERM ask a run to save itself and stop.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Set by the signal handler, which may touch nothing else.
nonisolated(unsafe) private var signalArrived: sig_atomic_t = 0

/// Turns the first SIGINT or SIGTERM into a polite request; the second one kills.
public enum TrainingInterruption {
    public static func install() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                signalArrived = 1
                signal(number, SIG_DFL)
            }
        }
        // A limit on the size of files is then an error of the write, which names the file, and not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Whether a signal has arrived.
    public static var isRequested: Bool { signalArrived != 0 }
}
