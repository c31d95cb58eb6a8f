// cpu_winograd_loops: the loops of cpu_winograd.h, written once for all vector instruction sets.
//
// The includer defines TARGET, LANES, and the shape of a product's sums in registers: VECTORS wide, REGISTERS in all.

typedef float Vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

TARGET static inline Vector load(const float *p) { return *reinterpret_cast<const Vector *>(p); }
TARGET static inline void store(float *p, Vector v) { *reinterpret_cast<Vector *>(p) = v; }

/// Bᵀd
TARGET static inline __attribute__((always_inline)) void toFrequencies(const Vector d[8], Vector t[8]) {
    t[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);
    t[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
    const Vector e1 = d[2] + d[6] - 4.25f * d[4], o1 = d[1] + d[5] - 4.25f * d[3];
    t[1] = e1 + o1;
    t[2] = e1 - o1;
    const Vector e2 = d[6] + 0.25f * d[2] - 1.25f * d[4], o2 = 2.f * (d[5] + 0.25f * d[1] - 1.25f * d[3]);
    t[3] = e2 + o2;
    t[4] = e2 - o2;
    const Vector e3 = d[6] + 4.f * d[2] - 5.f * d[4], o3 = 0.5f * (d[5] + 4.f * d[1] - 5.f * d[3]);
    t[5] = e3 + o3;
    t[6] = e3 - o3;
}

/// Aᵀm
TARGET static inline __attribute__((always_inline)) void fromFrequencies(const Vector m[8], Vector y[6]) {
    const Vector s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4], s3 = m[5] + m[6], d3 = m[5] - m[6];
    y[0] = m[0] + s1 + (s2 + s3);
    y[1] = d1 + 2.f * d2 + 0.5f * d3;
    y[2] = s1 + 4.f * s2 + 0.25f * s3;
    y[3] = d1 + 8.f * d2 + 0.125f * d3;
    y[4] = s1 + 16.f * s2 + 0.0625f * s3;
    y[5] = d1 + m[7] + 32.f * d2 + 0.03125f * d3;
}

/// A·y, the transpose of the last
TARGET static inline __attribute__((always_inline)) void spread(const Vector y[6], Vector m[8]) {
    m[0] = y[0];
    m[7] = y[5];
    const Vector e1 = y[0] + y[2] + y[4], o1 = y[1] + y[3] + y[5];
    m[1] = e1 + o1;
    m[2] = e1 - o1;
    const Vector e2 = y[0] + 4.f * y[2] + 16.f * y[4], o2 = 2.f * y[1] + 8.f * y[3] + 32.f * y[5];
    m[3] = e2 + o2;
    m[4] = e2 - o2;
    const Vector e3 = y[0] + 0.25f * y[2] + 0.0625f * y[4], o3 = 0.5f * y[1] + 0.125f * y[3] + 0.03125f * y[5];
    m[5] = e3 + o3;
    m[6] = e3 - o3;
}

/// G·w
TARGET static inline __attribute__((always_inline)) void kernelToFrequencies(const Vector w[3], Vector u[8]) {
    u[0] = w[0];
    u[7] = w[2];
    const Vector e1 = -2.f / 9 * (w[0] + w[2]), o1 = -2.f / 9 * w[1];
    u[1] = e1 + o1;
    u[2] = e1 - o1;
    const Vector e2 = 1.f / 90 * w[0] + 4.f / 90 * w[2], o2 = 2.f / 90 * w[1];
    u[3] = e2 + o2;
    u[4] = e2 - o2;
    const Vector e3 = 32.f / 45 * w[0] + 8.f / 45 * w[2], o3 = 16.f / 45 * w[1];
    u[5] = e3 + o3;
    u[6] = e3 - o3;
}

/// Gᵀ·u, the transpose of the last
TARGET static inline __attribute__((always_inline)) void kernelFromFrequencies(const Vector u[8], Vector w[3]) {
    const Vector s1 = -2.f / 9 * (u[1] + u[2]), s2 = 1.f / 90 * (u[3] + u[4]), s3 = 8.f / 45 * (u[5] + u[6]);
    w[0] = u[0] + s1 + s2 + 4.f * s3;
    w[1] = -2.f / 9 * (u[1] - u[2]) + 2.f / 90 * (u[3] - u[4]) + 16.f / 45 * (u[5] - u[6]);
    w[2] = u[7] + s1 + 4.f * s2 + s3;
}

/// Tiles of 8×8 pixels, `pixel` and `row` numbers apart, into planes of one frequency each.
TARGET static void inputTile(const float *in, int64_t pixel, int64_t row, int64_t channels, float *out, int64_t plane) {
    for (int64_t c = 0; c < channels; c += LANES) {
        Vector half[8][8];
        for (int x = 0; x < 8; x++) {
            Vector d[8], t[8];
            for (int y = 0; y < 8; y++) d[y] = load(in + y * row + x * pixel + c);
            toFrequencies(d, t);
            for (int y = 0; y < 8; y++) half[y][x] = t[y];
        }
        for (int y = 0; y < 8; y++) {
            Vector t[8];
            toFrequencies(half[y], t);
            for (int x = 0; x < 8; x++) store(out + (y * 8 + x) * plane + c, t[x]);
        }
    }
}

/// Planes into a tile of 6×6 pixels; `bias` may be null.
TARGET static void outputTile(const float *in, int64_t plane, int64_t channels, const float *bias, float *out, int64_t pixel, int64_t row) {
    for (int64_t c = 0; c < channels; c += LANES) {
        Vector half[6][8];
        for (int x = 0; x < 8; x++) {
            Vector m[8], y[6];
            for (int f = 0; f < 8; f++) m[f] = load(in + (f * 8 + x) * plane + c);
            fromFrequencies(m, y);
            for (int i = 0; i < 6; i++) half[i][x] = y[i];
        }
        const Vector offset = bias ? load(bias + c) : Vector{};
        for (int i = 0; i < 6; i++) {
            Vector y[6];
            fromFrequencies(half[i], y);
            for (int x = 0; x < 6; x++) store(out + i * row + x * pixel + c, y[x] + offset);
        }
    }
}

/// The transpose of `outputTile`: 6×6 pixels of a gradient into planes.
TARGET static void gradientTile(const float *in, int64_t pixel, int64_t row, int64_t channels, float *out, int64_t plane) {
    for (int64_t c = 0; c < channels; c += LANES) {
        Vector half[8][6];
        for (int x = 0; x < 6; x++) {
            Vector y[6], m[8];
            for (int i = 0; i < 6; i++) y[i] = load(in + i * row + x * pixel + c);
            spread(y, m);
            for (int f = 0; f < 8; f++) half[f][x] = m[f];
        }
        for (int f = 0; f < 8; f++) {
            Vector m[8];
            spread(half[f], m);
            for (int x = 0; x < 8; x++) store(out + (f * 8 + x) * plane + c, m[x]);
        }
    }
}

/// Kernels (3, 3, count) into planes (8, 8, count); `turned` by half a turn.
TARGET static void kernels(const float *in, int64_t count, bool turned, float *out) {
    for (int64_t k = 0; k < count; k += LANES) {
        Vector half[8][3];
        for (int x = 0; x < 3; x++) {
            Vector w[3], u[8];
            for (int y = 0; y < 3; y++) w[y] = load(in + (turned ? 8 - (y * 3 + x) : y * 3 + x) * count + k);
            kernelToFrequencies(w, u);
            for (int f = 0; f < 8; f++) half[f][x] = u[f];
        }
        for (int f = 0; f < 8; f++) {
            Vector u[8];
            kernelToFrequencies(half[f], u);
            for (int x = 0; x < 8; x++) store(out + (f * 8 + x) * count + k, u[x]);
        }
    }
}

/// The transpose of `kernels`.
TARGET static void kernelGradients(const float *in, int64_t count, float *out) {
    for (int64_t k = 0; k < count; k += LANES) {
        Vector half[3][8];
        for (int x = 0; x < 8; x++) {
            Vector u[8], w[3];
            for (int f = 0; f < 8; f++) u[f] = load(in + (f * 8 + x) * count + k);
            kernelFromFrequencies(u, w);
            for (int y = 0; y < 3; y++) half[y][x] = w[y];
        }
        for (int y = 0; y < 3; y++) {
            Vector w[3];
            kernelFromFrequencies(half[y], w);
            for (int x = 0; x < 3; x++) store(out + (y * 3 + x) * count + k, w[x]);
        }
    }
}

/// ROWS × WIDE vectors of a·b, whose sums stay in registers. Row r and term k of a lie at r · aRow + k · aTerm.
template <int ROWS, int WIDE>
TARGET static inline void block(const float *a, int64_t aRow, int64_t aTerm, const float *b, int64_t bTerm, int64_t terms, float *out, int64_t outRow,
                                bool add) {
    Vector sum[ROWS][WIDE];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < WIDE; v++) sum[r][v] = add ? load(out + r * outRow + v * LANES) : Vector{};
    for (int64_t k = 0; k < terms; k++, a += aTerm, b += bTerm) {
        Vector w[WIDE];
        for (int v = 0; v < WIDE; v++) w[v] = load(b + v * LANES);
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < WIDE; v++) sum[r][v] += a[r * aRow] * w[v];
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < WIDE; v++) store(out + r * outRow + v * LANES, sum[r][v]);
}

/// `rows` of them, at most ROWS.
template <int ROWS, int WIDE>
TARGET static inline void blockOf(int64_t rows, const float *a, int64_t aRow, int64_t aTerm, const float *b, int64_t bTerm, int64_t terms, float *out,
                                  int64_t outRow, bool add) {
    if constexpr (ROWS > 1)
        if (rows < ROWS) return blockOf<ROWS - 1, WIDE>(rows, a, aRow, aTerm, b, bTerm, terms, out, outRow, add);
    block<ROWS, WIDE>(a, aRow, aTerm, b, bTerm, terms, out, outRow, add);
}

/// All rows of WIDE vectors, shared out evenly.
template <int WIDE>
TARGET static void panel(int64_t rows, const float *a, int64_t aRow, int64_t aTerm, const float *b, int64_t bTerm, int64_t terms, float *out,
                         int64_t outRow, bool add) {
    const int most = REGISTERS / WIDE < 12 ? REGISTERS / WIDE : 12;
    const int64_t runs = (rows + most - 1) / most;
    for (int64_t run = 0, row = 0; run < runs; run++) {
        const int64_t count = rows / runs + (run < rows % runs);
        blockOf<most, WIDE>(count, a + row * aRow, aRow, aTerm, b, bTerm, terms, out + row * outRow, outRow, add);
        row += count;
    }
}

/// out = a·b, or out += a·b: rows × terms by terms × columns, a multiple of 16.
TARGET static void multiply(int64_t rows, int64_t columns, int64_t terms, const float *a, int64_t aRow, int64_t aTerm, const float *b, int64_t bTerm,
                            float *out, int64_t outRow, bool add) {
    int64_t column = 0;
    for (; column + VECTORS * LANES <= columns; column += VECTORS * LANES)
        panel<VECTORS>(rows, a, aRow, aTerm, b + column, bTerm, terms, out + column, outRow, add);
#if VECTORS * LANES > 32
    if (columns - column == 3 * LANES) return panel<3>(rows, a, aRow, aTerm, b + column, bTerm, terms, out + column, outRow, add);
    if (columns - column == 2 * LANES) return panel<2>(rows, a, aRow, aTerm, b + column, bTerm, terms, out + column, outRow, add);
    if (columns - column == LANES) return panel<1>(rows, a, aRow, aTerm, b + column, bTerm, terms, out + column, outRow, add);
#endif
}

const WinogradLoops loops = {inputTile, outputTile, gradientTile, kernels, kernelGradients, multiply};
