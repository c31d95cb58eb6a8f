// PristineStatistics: placeholder until fitted.
extension NaturalStatistics {
    public static let pristine = NaturalStatistics(mean: [Double](repeating: 0, count: 36), covariance: (0..<1296).map { $0 % 37 == 0 ? 1 : 0 })
}
