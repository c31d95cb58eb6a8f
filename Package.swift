// swift-tools-version: 6.2
// Acuity: the package's targets, from the core upwards. Arrows point down only; see docs/design.md.
import PackageDescription

/// One set of settings for every Swift target.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

func target(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name + "Tests", dependencies: [.init(stringLiteral: name)] + dependencies, swiftSettings: settings)
}

let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "acuity",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Acuity", targets: ["Acuity"]),
        .executable(name: "acuity", targets: ["AcuityCLI"]),
        .executable(name: "acuity-trainer", targets: ["AcuityTrainer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: [
        // Core: pure Swift.
        target("SuperResolution", []),
        tests("SuperResolution", []),

        // C: each imported by exactly one Swift target.
        .target(name: "CKernels", cSettings: [.treatAllWarnings(as: .error)]),
        .target(name: "CTorch", exclude: ["plugin"], cSettings: [.treatAllWarnings(as: .error)]),
        .target(name: "CModels", cSettings: [.treatAllWarnings(as: .error)]),
        .systemLibrary(name: "CVips", pkgConfig: "vips", providers: [.apt(["libvips-dev"]), .brew(["vips"])]),
        .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

        // Adapters: own the C handles.
        target("NativeEngine", ["SuperResolution", "CKernels"]),
        tests("NativeEngine", ["SuperResolution"]),
        target("TorchEngine", ["SuperResolution", "CTorch"]),
        tests("TorchEngine", ["SuperResolution", "NativeEngine", "Imaging"]),
        target("Hashing", [.target(name: "CCrypto", condition: .when(platforms: [.linux]))]),
        tests("Hashing", []),
        target("Imaging", ["SuperResolution", "Hashing", "CVips", "CJPEG"]),
        tests("Imaging", ["SuperResolution", "Acuity"]),

        // Compose.
        target("Training", ["SuperResolution", "TorchEngine"]),
        tests("Training", ["SuperResolution", "TorchEngine", "Imaging"]),
        target("Evaluation", ["SuperResolution", "Hashing"]),
        tests("Evaluation", ["SuperResolution", "Imaging"]),
        target("Acuity", ["SuperResolution", "NativeEngine", "Imaging", "CModels"]),
        tests("Acuity", ["SuperResolution", "NativeEngine", "Imaging", "Evaluation", "Hashing"]),

        // Entry points.
        .executableTarget(
            name: "AcuityCLI",
            dependencies: ["Acuity", "SuperResolution", "NativeEngine", "Imaging", "Training", "TorchEngine", "Evaluation", "Hashing", arguments],
            swiftSettings: settings),
        .executableTarget(
            name: "AcuityTrainer",
            dependencies: ["SuperResolution", "Training", "TorchEngine"],
            swiftSettings: settings),
        .testTarget(
            name: "AcuityCLITests",
            dependencies: ["SuperResolution", "Imaging", "Acuity", "Training"],
            swiftSettings: settings),
    ]
)
