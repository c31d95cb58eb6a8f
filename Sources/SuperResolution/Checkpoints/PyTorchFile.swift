// PyTorchFile: tensors from what torch.save wrote: a zip archive of a pickle and its storages, or (before PyTorch 1.6)
// a sequence of pickles followed by the storages.
import FoundationEssentials

enum PyTorchFile {
    /// Whether bytes begin like a zip archive or an old torch.save.
    static func recognises(_ data: Data) -> Bool {
        let start = [UInt8](data.prefix(4))
        guard start.count == 4 else { return false }
        // The old form begins with PROTO and LONG1 of 10 bytes. Read as the length of a safetensors header, that would be
        // 177 MB, more than is allowed.
        return start == [0x50, 0x4b, 3, 4] || start == [0x50, 0x4b, 5, 6]
            || start[0] == 0x80 && (2...5).contains(start[1]) && start[2] == 0x8a && start[3] == 0x0a
    }

    /// - Throws: ``AcuityError`` with code `.weights`.
    static func weights(_ data: Data, name: String) throws -> StateDict {
        do {
            return data.first == 0x80 ? try legacy(data) : try archive(data)
        } catch let error as AcuityError {
            throw AcuityError(error.code, "\(name): \(error.message)")
        }
    }

    private static func archive(_ data: Data) throws -> StateDict {
        let zip = try ZipArchive(data)
        guard let main = zip.names.filter({ $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }).min(by: { $0.utf8.count < $1.utf8.count }) else {
            throw AcuityError(.weights, "a zip archive, but not one of torch.save (no data.pkl)")
        }
        let folder = main.dropLast("data.pkl".count)
        if zip.names.contains(folder + "constants.pkl") {
            throw AcuityError(.weights, "a TorchScript program, not a state_dict; save model.state_dict() instead")
        }
        if zip.names.contains(folder + "byteorder"), try zip.contents(folder + "byteorder").elementsEqual("big".utf8) {
            throw AcuityError(.weights, "big-endian tensors are not supported")
        }
        var pickle = Pickle(try zip.contents(main))
        let root = try pickle.run()
        return try tensors(root, pickle, bytes: data.count) { storage in
            let bytes = try zip.contents("\(folder)data/\(storage.key)")
            guard byteCount([storage.count], storage.type) == bytes.count else {
                throw AcuityError(.weights, "storage \(storage.key.prefix(40)) has \(bytes.count) bytes, not \(storage.count) × \(storage.type.rawValue)")
            }
            return bytes
        }
    }

    private static func legacy(_ data: Data) throws -> StateDict {
        // Magic number, protocol version, system information: three small pickles before the one that counts.
        var position = 0
        for index in 0..<3 {
            var pickle = Pickle(data, from: position)
            let value = try pickle.run()
            if index == 0 {
                guard case .long = value else { throw AcuityError(.weights, "a pickle, but not one of torch.save") }
            }
            position = pickle.position
        }
        var pickle = Pickle(data, from: position)
        let root = try pickle.run()
        var keys = Pickle(data, from: pickle.position)
        guard case .list(let list) = try keys.run() else { throw AcuityError(.weights, "old torch.save without list of storages") }

        // Then each storage: its number of values in 8 bytes, and the values.
        var types: [String: ScalarType] = [:]
        for storage in pickle.storages { types[storage.key] = storage.type }
        var storages: [String: Data] = [:]
        position = keys.position
        for case .text(let key) in keys.lists[list] {
            guard let type = types[key] else { throw AcuityError(.weights, "storage \(key.prefix(40)) that no tensor uses") }
            guard position <= data.count - 8 else { throw AcuityError(.weights, "truncated before storage \(key.prefix(40))") }
            let start = data.startIndex + position
            let count = (0..<8).reduce(UInt64(0)) { $0 | UInt64(data[start + $1]) << (8 * UInt64($1)) }
            guard count <= UInt64(data.count), Int(count) * type.size <= data.count - 8 - position else {
                throw AcuityError(.weights, "truncated in storage \(key.prefix(40))")
            }
            let size = Int(count) * type.size
            storages[key] = data[(start + 8)..<(start + 8 + size)]
            position += 8 + size
        }
        return try tensors(root, pickle, bytes: data.count) { storage in
            guard let bytes = storages[storage.key], types[storage.key] == storage.type else {
                throw AcuityError(.weights, "no storage \(storage.key.prefix(40))")
            }
            return bytes
        }
    }

    // MARK: Tensors

    /// `params_ema` before `params` before `state_dict` or `model` before bare keys.
    private static func tensors(_ root: Pickle.Value, _ pickle: Pickle, bytes: Int, _ storage: (Pickle.Storage) throws -> Data) throws -> StateDict {
        guard case .dictionary(let index) = root else { throw AcuityError(.weights, "no dictionary of tensors") }
        var items = pickle.dictionaries[index]
        search: for name in ["params_ema", "params", "state_dict", "model_state_dict", "model"] {
            for case (.text(name), .dictionary(let inner)) in items {
                items = pickle.dictionaries[inner]
                break search
            }
        }
        var weights = StateDict()
        // Views may repeat values of a storage; a file may not make more of them than it could hold itself.
        var budget = 2 * bytes
        for case (.text(let key), .tensor(let index)) in items {
            let view = pickle.tensors[index]
            do {
                weights[key] = try tensor(view, pickle.storages[view.storage], budget: &budget, storage)
            } catch let error as AcuityError {
                throw AcuityError(error.code, "\(key.prefix(80)): \(error.message)")
            }
        }
        guard !weights.isEmpty else { throw AcuityError(.weights, "no dictionary of tensors") }
        return weights
    }

    private static func tensor(_ view: Pickle.TensorView, _ storage: Pickle.Storage, budget: inout Int, _ read: (Pickle.Storage) throws -> Data) throws -> Tensor {
        let size = storage.type.size
        guard let count = byteCount(view.shape, storage.type).map({ $0 / size }), count <= budget else {
            throw AcuityError(.weights, "shape \(view.shape) is larger than the file")
        }
        budget -= count
        if count == 0 { return Tensor(shape: view.shape, values: []) }
        let bytes = try read(storage)
        // The last value that the view touches.
        var last = view.offset
        for (side, stride) in zip(view.shape, view.strides) {
            let (step, overflow) = (side - 1).multipliedReportingOverflow(by: stride)
            let (sum, more) = last.addingReportingOverflow(step)
            guard !overflow, !more else { throw AcuityError(.weights, "strides \(view.strides) leave the storage") }
            last = sum
        }
        guard view.offset >= 0, last < bytes.count / size else {
            throw AcuityError(.weights, "shape \(view.shape) with strides \(view.strides) from \(view.offset) leaves a storage of \(bytes.count / size)")
        }
        var contiguous = 1
        var isContiguous = true
        for (side, stride) in zip(view.shape, view.strides).reversed() {
            if side != 1, stride != contiguous { isContiguous = false }
            contiguous *= side
        }
        let start = bytes.startIndex + view.offset * size
        if isContiguous {
            return Tensor(shape: view.shape, values: storage.type.floats(bytes[start..<(start + count * size)]))
        }
        guard last + 1 - view.offset <= budget else { throw AcuityError(.weights, "strides \(view.strides) spread over more than the file") }
        budget -= last + 1 - view.offset
        // A side of 1 never takes its stride, which may be anything.
        let strides = zip(view.shape, view.strides).map { $0 == 1 ? 0 : $1 }
        let source = storage.type.floats(bytes[start..<(bytes.startIndex + (last + 1) * size)])
        var values: [Float] = []
        values.reserveCapacity(count)
        var index = [Int](repeating: 0, count: view.shape.count)
        var offset = 0
        for _ in 0..<count {
            values.append(source[offset])
            for axis in view.shape.indices.reversed() {
                index[axis] += 1
                offset += strides[axis]
                if index[axis] < view.shape[axis] { break }
                offset -= view.shape[axis] * strides[axis]
                index[axis] = 0
            }
        }
        return Tensor(shape: view.shape, values: values)
    }
}
