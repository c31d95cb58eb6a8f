// CVips: the few libvips calls that Imaging needs, with fixed arguments (Swift cannot call variadic functions).
// Every function that returns an image returns a new reference, or NULL with a message in libvips' error buffer.
#pragma once
#include <string.h>
#include <vips/vips.h>

#if VIPS_MAJOR_VERSION < 8 || (VIPS_MAJOR_VERSION == 8 && VIPS_MINOR_VERSION < 13)
#error "libvips 8.13 or newer is needed"
#endif

static void cvips_ignore_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
    (void)domain; (void)level; (void)message; (void)data;
}

/// Starts libvips: no operation cache, no loaders that are not hardened against hostile files, no warnings on stderr.
static inline int cvips_start(void) {
    g_log_set_handler("VIPS", (GLogLevelFlags)(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG), cvips_ignore_log, NULL);
    if (vips_init("acuity")) return -1;
    vips_cache_set_max(0);
    vips_block_untrusted_set(TRUE);
    return 0;
}

typedef enum { CVIPS_JPEG, CVIPS_PNG, CVIPS_WEBP, CVIPS_TIFF, CVIPS_GIF, CVIPS_HEIF } CVipsFormat;

/// Reads the header; pixels are decoded later, top to bottom. Damaged files fail instead of turning grey.
static inline VipsImage *cvips_open(VipsSource *source, CVipsFormat format) {
    VipsImage *image = NULL;
#define CVIPS_OPEN(load) load(source, &image, "access", (int)VIPS_ACCESS_SEQUENTIAL, "fail_on", (int)VIPS_FAIL_ON_ERROR, NULL)
    int failed = -1;
    switch (format) {
        case CVIPS_JPEG: failed = CVIPS_OPEN(vips_jpegload_source); break;
        case CVIPS_PNG: failed = CVIPS_OPEN(vips_pngload_source); break;
        case CVIPS_WEBP: failed = CVIPS_OPEN(vips_webpload_source); break;
        case CVIPS_TIFF: failed = CVIPS_OPEN(vips_tiffload_source); break;
        case CVIPS_GIF: failed = CVIPS_OPEN(vips_gifload_source); break;
        case CVIPS_HEIF: failed = CVIPS_OPEN(vips_heifload_source); break;
    }
#undef CVIPS_OPEN
    return failed ? NULL : image;
}

/// Decodes into memory, on the calling thread. vips_image_copy_memory() may report success although a worker has failed:
/// it looks for errors as soon as the last piece of work is handed out, not when it is finished (8.14).
static inline VipsImage *cvips_decode(VipsImage *in) {
    VipsImage *out = vips_image_new_memory();
    VipsRegion *region = vips_region_new(in);
    int failed = vips_image_pipelinev(out, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL);
    for (int y = 0; y < in->Ysize && !failed; y += 16) {
        VipsRect strip = {0, y, in->Xsize, VIPS_MIN(16, in->Ysize - y)};
        failed = vips_region_prepare(region, &strip);
        for (int row = y; row < y + strip.height && !failed; row++)
            failed = vips_image_write_line(out, row, VIPS_REGION_ADDR(region, 0, row));
    }
    g_object_unref(region);
    if (failed) g_object_unref(out);
    return failed ? NULL : out;
}

static inline VipsImage *cvips_autorotate(VipsImage *in) {
    VipsImage *out = NULL;
    return vips_autorot(in, &out, NULL) ? NULL : out;
}

static inline VipsImage *cvips_extract_bands(VipsImage *in, int first, int count) {
    VipsImage *out = NULL;
    return vips_extract_band(in, &out, first, "n", (int)count, NULL) ? NULL : out;
}

static inline VipsImage *cvips_crop(VipsImage *in, int left, int top, int width, int height) {
    VipsImage *out = NULL;
    return vips_crop(in, &out, left, top, width, height, NULL) ? NULL : out;
}

/// To sRGB through the embedded profile, or through libvips' generic CMYK profile where there is none.
static inline VipsImage *cvips_to_srgb(VipsImage *in, int depth) {
    VipsImage *out = NULL;
    if (in->Type == VIPS_INTERPRETATION_CMYK)
        return vips_icc_transform(in, &out, "srgb", "embedded", (gboolean)TRUE, "input_profile", "cmyk", "depth", (int)depth,
                                  "intent", (int)VIPS_INTENT_PERCEPTUAL, NULL) ? NULL : out;
    return vips_icc_transform(in, &out, "srgb", "embedded", (gboolean)TRUE, "depth", (int)depth,
                              "intent", (int)VIPS_INTENT_PERCEPTUAL, NULL) ? NULL : out;
}

static inline VipsImage *cvips_colourspace(VipsImage *in, VipsInterpretation space) {
    VipsImage *out = NULL;
    return vips_colourspace(in, &out, space, NULL) ? NULL : out;
}

/// Copies the samples' values, clipped, into another number format.
static inline VipsImage *cvips_cast(VipsImage *in, VipsBandFormat format) {
    VipsImage *out = NULL;
    return vips_cast(in, &out, format, NULL) ? NULL : out;
}

/// An image whose pixels lie in `data`, which must outlive it and everything made of it.
static inline VipsImage *cvips_wrap(const void *data, size_t size, int width, int height, int bands, int bits) {
    VipsImage *wrapped = vips_image_new_from_memory(data, size, width, height, bands, bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
    if (!wrapped) return NULL;
    VipsImage *out = NULL;
    VipsInterpretation space = bands < 3 ? (bits == 16 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W)
                                         : (bits == 16 ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB);
    int failed = vips_copy(wrapped, &out, "interpretation", (int)space, NULL);
    g_object_unref(wrapped);
    return failed ? NULL : out;
}

/// Copies metadata (EXIF with its parsed fields, XMP, IPTC, ICC, resolution) from one image to another.
static inline void cvips_copy_metadata(VipsImage *from, VipsImage *to) {
    gchar **fields = vips_image_get_fields(from);
    for (int i = 0; fields && fields[i]; i++) {
        const char *name = fields[i];
        // Only what describes the picture: not the geometry, pages or coding of the old file.
        if (!g_str_has_prefix(name, "exif-") && !g_str_has_prefix(name, "xmp-data") && !g_str_has_prefix(name, "iptc-data") &&
            strcmp(name, VIPS_META_ICC_NAME) && strcmp(name, VIPS_META_RESOLUTION_UNIT) &&
            !g_str_has_prefix(name, "png-comment-") && strcmp(name, VIPS_META_IMAGEDESCRIPTION))
            continue;
        // The pixels are upright.
        if (!strcmp(name, "exif-ifd0-Orientation")) continue;
        GValue value = G_VALUE_INIT;
        if (vips_image_get(from, name, &value) == 0) {
            vips_image_set(to, name, &value);
            g_value_unset(&value);
        }
    }
    g_strfreev(fields);
    vips_image_set_int(to, VIPS_META_ORIENTATION, 1);
    to->Xres = from->Xres;
    to->Yres = from->Yres;
}

static inline int cvips_save_jpeg(VipsImage *in, VipsTarget *target, int quality) {
    return vips_jpegsave_target(in, target, "Q", (int)quality, NULL);
}

static inline int cvips_save_png(VipsImage *in, VipsTarget *target, int compression) {
    return vips_pngsave_target(in, target, "compression", (int)compression, "filter", (int)VIPS_FOREIGN_PNG_FILTER_SUB, NULL);
}

static inline int cvips_save_webp(VipsImage *in, VipsTarget *target, int quality) {
    return vips_webpsave_target(in, target, "Q", (int)quality, "effort", (int)2, NULL);
}

static inline int cvips_save_tiff(VipsImage *in, VipsTarget *target) {
    return vips_tiffsave_target(in, target, "compression", (int)VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE, "level", (int)1,
                                "predictor", (int)VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL,
                                "bigtiff", (gboolean)(VIPS_IMAGE_SIZEOF_IMAGE(in) > 3000000000ULL), NULL);
}

/// Coverage of a line of text, one 8-bit band, cut to its ink. `markup` is Pango's; `font` a Pango description with a size,
/// which at 72 dots per inch is in pixels. NULL where libvips was built without Pango, too.
static inline VipsImage *cvips_text(const char *markup, const char *font) {
    VipsImage *out = NULL;
    return vips_text(&out, markup, "font", font, "dpi", (int)72, NULL) ? NULL : out;
}
