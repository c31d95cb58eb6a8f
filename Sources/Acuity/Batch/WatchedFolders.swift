// WatchedFolders: new pictures in folders, once they have stopped growing.

import SuperResolution

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif

/// Looks at folders again and again. It asks, rather than being told by the system, so that network folders work too.
package struct WatchedFolders {
    private struct State: Equatable {
        var size: Int
        var modified: Int
        var nanoseconds: Int
        /// Looks at which it was the same, and whether it was handed out as it is.
        var looks = 0
        var isTaken = false
    }

    private let folders: [String]
    private let search: PictureSearch
    private var states: [String: State] = [:]
    /// All pictures that were there at the last look.
    package private(set) var pictures: [FoundPicture] = []

    package init(_ folders: [String], search: PictureSearch) {
        self.folders = folders
        self.search = search
    }

    /// Pictures that are new or changed and have been the same at three looks in a row; each is handed out once.
    package mutating func settled() -> [FoundPicture] {
        pictures = search.pictures(of: folders).pictures
        var result: [FoundPicture] = []
        var current: [String: State] = [:]
        for picture in pictures {
            var status = stat()
            guard stat(picture.path, &status) == 0 else { continue }
            #if canImport(Darwin)
            let time = status.st_mtimespec
            #else
            let time = status.st_mtim
            #endif
            var state = State(size: Int(status.st_size), modified: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
            if let before = states[picture.path], (before.size, before.modified, before.nanoseconds) == (state.size, state.modified, state.nanoseconds) {
                (state.looks, state.isTaken) = (before.looks + 1, before.isTaken)
            }
            if state.looks >= 2, !state.isTaken {
                state.isTaken = true
                result.append(picture)
            }
            current[picture.path] = state
        }
        states = current
        return result
    }
}
