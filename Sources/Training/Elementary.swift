// Elementary: the few functions of the C mathematics library that training needs.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

func logarithm(_ x: Double) -> Double { log(x) }
func cosine(_ x: Double) -> Double { cos(x) }
func decibel(meanSquaredError: Double) -> Double { -10 * log10(max(meanSquaredError, 1e-12)) }
func exponential(_ x: Double) -> Double { exp(x) }
func sine(_ x: Double) -> Double { sin(x) }
func power(_ x: Double, _ exponent: Double) -> Double { pow(x, exponent) }
/// The Bessel function of the first kind, order 1.
func besselJ1(_ x: Double) -> Double { j1(x) }
