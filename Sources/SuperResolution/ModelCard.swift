// ModelCard: what a person should know about a released model. Written by the release gate, never by hand.

/// The JSON card beside a released model's weights.
public struct ModelCard: Sendable, Hashable, Codable {
    /// One measured figure with everything that is needed to measure it again.
    public struct Metric: Sendable, Hashable, Codable {
        /// E.g. `Set5`.
        public var dataset: String
        /// E.g. `psnr_y`, decibel; see docs/design.md §3 for the protocol.
        public var name: String
        public var value: Double
        public var images: Int

        public init(dataset: String, name: String, value: Double, images: Int) {
            self.dataset = dataset
            self.name = name
            self.value = value
            self.images = images
        }
    }

    public var name: String
    public var version: String
    public var architecture: String
    public var scale: Int
    /// One line for a person.
    public var purpose: String
    public var parameters: Int
    public var trainingData: String
    /// File name of the recipe in `Recipes/` and the SHA-256 of its text.
    public var recipe: String
    public var recipeHash: String
    public var steps: Int
    public var trainingMinutes: Double
    public var hardware: String
    /// ISO 8601 day.
    public var date: String
    public var licence: String
    /// SHA-256 of the weights file.
    public var sha256: String
    public var metrics: [Metric]
    /// The thresholds that the model was held to: `faithful` (also where there is none), `restore`, `gan` or `text`.
    public var profile: String?
    /// The model that this one was trained further from, by its name: `--strength` weighs the two.
    public var faithful: String?

    public init(
        name: String, version: String, architecture: String, scale: Int, purpose: String, parameters: Int,
        trainingData: String, recipe: String, recipeHash: String, steps: Int, trainingMinutes: Double,
        hardware: String, date: String, licence: String, sha256: String, metrics: [Metric], profile: String? = nil, faithful: String? = nil
    ) {
        self.name = name
        self.version = version
        self.architecture = architecture
        self.scale = scale
        self.purpose = purpose
        self.parameters = parameters
        self.trainingData = trainingData
        self.recipe = recipe
        self.recipeHash = recipeHash
        self.steps = steps
        self.trainingMinutes = trainingMinutes
        self.hardware = hardware
        self.date = date
        self.licence = licence
        self.sha256 = sha256
        self.metrics = metrics
        self.profile = profile
        self.faithful = faithful
    }

    enum CodingKeys: String, CodingKey {
        case name, version, architecture, scale, purpose, parameters
        case trainingData = "training_data"
        case recipe
        case recipeHash = "recipe_hash"
        case steps
        case trainingMinutes = "training_minutes"
        case hardware, date, licence, sha256, metrics, profile, faithful
    }
}
