// CVips: the few libvips calls that Imaging needs, with fixed arguments (Swift cannot call variadic functions).
// Every function that returns an image returns a new reference, or NULL with a message in libvips' error buffer.
#pragma once
#include <lcms2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#if VIPS_MAJOR_VERSION < 8 || (VIPS_MAJOR_VERSION == 8 && VIPS_MINOR_VERSION < 13)
#error "libvips 8.13 or newer is needed"
#endif

static void cvips_ignore_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
    (void)domain; (void)level; (void)message; (void)data;
}

/// Starts libvips: no operation cache, no loaders that are not hardened against hostile files but those that are
/// called by name after a look at the file's first bytes, no warnings on stderr.
static inline int cvips_start(void) {
    g_log_set_handler("VIPS", (GLogLevelFlags)(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG), cvips_ignore_log, NULL);
    if (vips_init("acuity")) return -1;
    // libvips counts what is still alive only when it is told to end.
    if (g_getenv("VIPS_LEAK")) atexit(vips_shutdown);
    vips_cache_set_max(0);
    vips_block_untrusted_set(TRUE);
    // JPEG XL, JPEG 2000, PPM, and BMP, which libvips leaves to ImageMagick.
    const char *allowed[] = {"VipsForeignLoadJxl", "VipsForeignSaveJxl", "VipsForeignLoadJp2k", "VipsForeignLoadPpm",
                             "VipsForeignLoadMagick", "VipsForeignLoadMagick7", "VipsForeignSaveMagick"};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) vips_operation_block_set(allowed[i], FALSE);
    return 0;
}

/// Whether this libvips has an operation and lets it run.
static inline int cvips_has_operation(const char *name) {
    VipsOperation *operation = vips_type_find("VipsOperation", name) ? vips_operation_new(name) : NULL;
    if (!operation) return 0;
    int allowed = !(vips_operation_get_flags(operation) & VIPS_OPERATION_BLOCKED);
    g_object_unref(operation);
    return allowed;
}

/// Decodes into `out`, on the calling thread. vips_image_write() may report success although a worker has failed: it looks
/// for errors as soon as the last piece of work is handed out, not when it is finished (8.14).
static inline VipsImage *cvips_decode_into(VipsImage *in, VipsImage *out) {
    if (!out) return NULL;
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

/// Decodes into memory.
static inline VipsImage *cvips_decode(VipsImage *in) { return cvips_decode_into(in, vips_image_new_memory()); }

/// Decodes into a temporary file, which goes with the image.
static inline VipsImage *cvips_onto_disk(VipsImage *in) { return cvips_decode_into(in, vips_image_new_temp_file("%s.v")); }

/// Copies a row of samples to `to`; 0 if there is one.
typedef int (*cvips_row_fn)(void *context, int row, void *to);

static int cvips_fill_rows(VipsRegion *out, void *sequence, void *copy, void *context, gboolean *stop) {
    (void)sequence; (void)stop;
    VipsRect *part = &out->valid;
    if (part->left || part->width != out->im->Xsize) {
        vips_error("rows", "parts of rows were asked for");
        return -1;
    }
    for (int y = part->top; y < VIPS_RECT_BOTTOM(part); y++)
        if (((cvips_row_fn)copy)(context, y, VIPS_REGION_ADDR(out, 0, y))) {
            vips_error("rows", "the rows end early");
            return -1;
        }
    return 0;
}

/// An image whose rows are fetched once, in order, as they are needed. `context` must outlive it.
static inline VipsImage *cvips_rows(int width, int height, int bands, VipsBandFormat format, VipsInterpretation space, cvips_row_fn copy, void *context) {
    VipsImage *rows = vips_image_new(), *out = NULL;
    vips_image_init_fields(rows, width, height, bands, format, VIPS_CODING_NONE, space, 1, 1);
    int failed = vips_image_pipelinev(rows, VIPS_DEMAND_STYLE_THINSTRIP, NULL) ||
                 vips_image_generate(rows, NULL, cvips_fill_rows, NULL, (void *)copy, context) ||
                 vips_sequential(rows, &out, "tile_height", 16, NULL);
    g_object_unref(rows);
    return failed ? NULL : out;
}

/// Whether an operation has an option; for whole numbers also what it may be.
static inline int cvips_has_option(const char *name, const char *option, int *least, int *most) {
    VipsOperation *operation = vips_type_find("VipsOperation", name) ? vips_operation_new(name) : NULL;
    if (!operation) return 0;
    GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(operation), option);
    if (spec && G_IS_PARAM_SPEC_INT(spec)) {
        *least = G_PARAM_SPEC_INT(spec)->minimum;
        *most = G_PARAM_SPEC_INT(spec)->maximum;
    }
    g_object_unref(operation);
    return spec != NULL;
}

/// Runs a load operation on a source, or on its bytes where the operation takes only those.
/// Reads the header; pixels are decoded later, top to bottom where `options` say so.
static inline VipsImage *cvips_load(const char *name, VipsSource *source, const char *options) {
    VipsOperation *operation = vips_operation_new(name);
    if (!operation) return NULL;
    VipsImage *out = NULL;
    int failed = 0;
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(operation), "source")) {
        g_object_set(operation, "source", source, NULL);
    } else {
        VipsBlob *blob = vips_source_map_blob(source);
        if (blob) {
            g_object_set(operation, "buffer", blob, NULL);
            vips_area_unref(VIPS_AREA(blob));
        } else {
            failed = 1;
        }
    }
    failed = failed || vips_object_set_from_string(VIPS_OBJECT(operation), options) || vips_cache_operation_buildp(&operation);
    if (!failed) g_object_get(operation, "out", &out, NULL);
    vips_object_unref_outputs(VIPS_OBJECT(operation));
    g_object_unref(operation);
    return out;
}

/// Runs a save operation into a target; one that only makes bytes has them written there.
static inline int cvips_save(const char *name, VipsImage *in, VipsTarget *target, const char *options) {
    VipsOperation *operation = vips_operation_new(name);
    if (!operation) return -1;
    int to_target = g_object_class_find_property(G_OBJECT_GET_CLASS(operation), "target") != NULL;
    g_object_set(operation, "in", in, NULL);
    if (to_target) g_object_set(operation, "target", target, NULL);
    int failed = vips_object_set_from_string(VIPS_OBJECT(operation), options) || vips_cache_operation_buildp(&operation);
    if (!failed && !to_target) {
        VipsBlob *blob = NULL;
        g_object_get(operation, "buffer", &blob, NULL);
        size_t length = 0;
        const void *bytes = blob ? vips_blob_get(blob, &length) : NULL;
        failed = !bytes || vips_target_write(target, bytes, length) || vips_target_end(target);
        if (blob) vips_area_unref(VIPS_AREA(blob));
    }
    vips_object_unref_outputs(VIPS_OBJECT(operation));
    g_object_unref(operation);
    return failed ? -1 : 0;
}

/// Runs a save operation that makes files of its own.
static inline int cvips_save_to_file(const char *name, VipsImage *in, const char *path, const char *options) {
    VipsOperation *operation = vips_operation_new(name);
    if (!operation) return -1;
    g_object_set(operation, "in", in, "filename", path, NULL);
    int failed = vips_object_set_from_string(VIPS_OBJECT(operation), options) || vips_cache_operation_buildp(&operation);
    vips_object_unref_outputs(VIPS_OBJECT(operation));
    g_object_unref(operation);
    return failed ? -1 : 0;
}

/// What was saved into a target in memory; free with `cvips_free_blob`.
static inline VipsBlob *cvips_written(VipsTarget *target) {
    VipsBlob *blob = NULL;
    g_object_get(target, "blob", &blob, NULL);
    return blob;
}

static inline void cvips_free_blob(VipsBlob *blob) { vips_area_unref(VIPS_AREA(blob)); }

static inline VipsImage *cvips_autorotate(VipsImage *in) {
    VipsImage *out = NULL;
    return vips_autorot(in, &out, NULL) ? NULL : out;
}

static inline VipsImage *cvips_extract_bands(VipsImage *in, int first, int count) {
    VipsImage *out = NULL;
    return vips_extract_band(in, &out, first, "n", (int)count, NULL) ? NULL : out;
}

static inline VipsImage *cvips_join_bands(VipsImage *colour, VipsImage *alpha) {
    VipsImage *out = NULL;
    return vips_bandjoin2(colour, alpha, &out, NULL) ? NULL : out;
}

static inline VipsImage *cvips_crop(VipsImage *in, int left, int top, int width, int height) {
    VipsImage *out = NULL;
    return vips_crop(in, &out, left, top, width, height, NULL) ? NULL : out;
}

/// Whether a grey or RGB profile's colours can be turned into sRGB's, whatever the intent.
static inline int cvips_icc_converts(const void *bytes, size_t size) {
    cmsHPROFILE profile = size <= UINT32_MAX ? cmsOpenProfileFromMem(bytes, (cmsUInt32Number)size) : NULL, srgb = cmsCreate_sRGBProfile();
    int converts = profile && srgb;
    const cmsUInt32Number type = converts && cmsGetColorSpace(profile) == cmsSigGrayData ? TYPE_GRAY_FLT : TYPE_RGB_FLT;
    for (cmsUInt32Number intent = INTENT_PERCEPTUAL; converts && intent <= INTENT_ABSOLUTE_COLORIMETRIC; intent++) {
        cmsHTRANSFORM transform = cmsCreateTransform(profile, type, srgb, TYPE_RGB_FLT, intent, cmsFLAGS_NOCACHE);
        converts = transform != NULL;
        if (transform) cmsDeleteTransform(transform);
    }
    if (profile) cmsCloseProfile(profile);
    if (srgb) cmsCloseProfile(srgb);
    return converts;
}

/// Through the embedded profile where there is one, else through `fallback`, to the profile `to`: libvips' own names
/// (`srgb`, `p3`, `cmyk`). Alpha must not be in `in`.
static inline VipsImage *cvips_icc_transform(VipsImage *in, const char *fallback, const char *to, int depth) {
    VipsImage *out = NULL;
    return vips_icc_transform(in, &out, to, "embedded", (gboolean)TRUE, "input_profile", fallback, "depth", (int)depth,
                              "intent", (int)VIPS_INTENT_RELATIVE, "black_point_compensation", (gboolean)TRUE, NULL) ? NULL : out;
}

/// From Lab to the profile among the image's fields, or to libvips' own CMYK where `is_named`.
static inline VipsImage *cvips_icc_export(VipsImage *lab, int is_named, int depth) {
    VipsImage *out = NULL;
    int failed = is_named ? vips_icc_export(lab, &out, "output_profile", "cmyk", "depth", (int)depth, "intent", (int)VIPS_INTENT_RELATIVE,
                                            "black_point_compensation", (gboolean)TRUE, NULL)
                          : vips_icc_export(lab, &out, "depth", (int)depth, "intent", (int)VIPS_INTENT_RELATIVE,
                                            "black_point_compensation", (gboolean)TRUE, NULL);
    return failed ? NULL : out;
}

/// The Lab colours that a picture in `lab`'s profile shows.
static inline VipsImage *cvips_icc_shown(VipsImage *in, int is_named) {
    VipsImage *out = NULL;
    int failed = is_named ? vips_icc_import(in, &out, "input_profile", "cmyk", "intent", (int)VIPS_INTENT_RELATIVE,
                                            "black_point_compensation", (gboolean)TRUE, NULL)
                          : vips_icc_import(in, &out, "embedded", (gboolean)TRUE, "intent", (int)VIPS_INTENT_RELATIVE,
                                            "black_point_compensation", (gboolean)TRUE, NULL);
    return failed ? NULL : out;
}

/// The image with what was computed of it last, so that several readers at the same place do not compute it again. Takes over the reference.
static inline VipsImage *cvips_kept(VipsImage *in) {
    VipsImage *out = NULL;
    if (!in) return NULL;
    // Two rows of tiles, and as many as threads may ask for at a time.
    int tiles = 2 * (in->Xsize / 128 + 1) + 16 * vips_concurrency_get();
    int failed = vips_tilecache(in, &out, "tile_width", (int)128, "tile_height", (int)16, "max_tiles", tiles, "threaded", (gboolean)TRUE, NULL);
    g_object_unref(in);
    return failed ? NULL : out;
}

/// Lab in the colours of a profile made of tables. Its table from Lab is only about the inverse of the one to Lab, by 0.8 ΔE2000 in
/// libvips' CMYK. So what comes out is looked at through the latter, and what is amiss is added to what goes in, twice; each
/// pixel gets the colour that turned out nearer.
static inline VipsImage *cvips_icc_invert(VipsImage *lab, int is_named, int depth) {
    enum { rounds = 2, steps = 10 };
    // Everything made on the way goes with it.
    VipsImage *context = vips_image_new();
    VipsImage **made = (VipsImage **)vips_object_local_array(VIPS_OBJECT(context), 2 + rounds * steps);
    VipsImage *wanted = lab, *best = made[0] = cvips_kept(cvips_icc_export(lab, is_named, depth));
    VipsImage *shown = made[1] = best ? cvips_kept(cvips_icc_shown(best, is_named)) : NULL;
    // A profile without a table to Lab cannot be looked through.
    for (int round = 0; round < rounds && shown; round++) {
        VipsImage **t = made + 2 + round * steps;
        if (vips_subtract(lab, shown, &t[0], NULL) || vips_add(wanted, t[0], &t[1], NULL) ||
            vips_copy(t[1], &t[2], "interpretation", (int)VIPS_INTERPRETATION_LAB, NULL) ||
            !(t[3] = cvips_kept(cvips_icc_export(t[2], is_named, depth))) || !(t[4] = cvips_kept(cvips_icc_shown(t[3], is_named))) ||
            vips_dE76(lab, shown, &t[5], NULL) || vips_dE76(lab, t[4], &t[6], NULL) || vips_less(t[6], t[5], &t[7], NULL) ||
            vips_ifthenelse(t[7], t[3], best, &t[8], NULL) || vips_ifthenelse(t[7], t[4], shown, &t[9], NULL))
            break;
        wanted = t[2];
        best = t[8];
        shown = t[9];
    }
    if (best) g_object_ref(best);
    g_object_unref(context);
    return best;
}

/// From libvips' own profile `from` to the profile in `profile`; where that has no bytes, to libvips' own CMYK.
static inline VipsImage *cvips_icc_to_profile(VipsImage *in, const char *from, const void *profile, size_t size, int depth) {
    VipsImage *connected = NULL, *named = NULL, *out = NULL;
    if (vips_icc_import(in, &connected, "input_profile", from, "intent", (int)VIPS_INTENT_RELATIVE, "black_point_compensation", (gboolean)TRUE, NULL)) return NULL;
    if (!vips_copy(connected, &named, NULL)) {
        if (size) vips_image_set_blob_copy(named, VIPS_META_ICC_NAME, profile, size);
        out = cvips_icc_invert(named, !size, depth);
        g_object_unref(named);
    }
    g_object_unref(connected);
    return out;
}

/// The bytes of one of libvips' own profiles; free with `cvips_free_blob`.
static inline int cvips_profile(const char *name, VipsBlob **out) { return vips_profile_load(name, out, NULL); }

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
static inline VipsImage *cvips_wrap(const void *data, size_t size, int width, int height, int bands, VipsBandFormat format,
                                    VipsInterpretation space) {
    VipsImage *wrapped = vips_image_new_from_memory(data, size, width, height, bands, format);
    if (!wrapped) return NULL;
    VipsImage *out = NULL;
    int failed = vips_copy(wrapped, &out, "interpretation", (int)space, NULL);
    g_object_unref(wrapped);
    return failed ? NULL : out;
}

/// The same image with pixels of its own: a copy of an image in memory would only be another view of it.
static inline VipsImage *cvips_own(VipsImage *in) {
    VipsImage *out = vips_image_new_memory();
    if (vips_image_write(in, out)) {
        g_object_unref(out);
        return NULL;
    }
    return out;
}

/// Copies metadata (EXIF with its parsed fields, XMP, IPTC, ICC, resolution, comments) from one image to another.
static inline void cvips_copy_metadata(VipsImage *from, VipsImage *to) {
    gchar **fields = vips_image_get_fields(from);
    for (int i = 0; fields && fields[i]; i++) {
        const char *name = fields[i];
        // Only what describes the picture: not the geometry, pages or coding of the old file.
        if (!g_str_has_prefix(name, "exif-") && strcmp(name, VIPS_META_XMP_NAME) && strcmp(name, VIPS_META_IPTC_NAME) &&
            strcmp(name, VIPS_META_ICC_NAME) && strcmp(name, VIPS_META_RESOLUTION_UNIT) &&
            !g_str_has_prefix(name, "png-comment-") && strcmp(name, VIPS_META_IMAGEDESCRIPTION))
            continue;
        // The pixels are upright, and the first directory of EXIF describes a thumbnail that is left behind.
        if (!strcmp(name, "exif-ifd0-Orientation") || g_str_has_prefix(name, "exif-ifd1-")) continue;
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

/// Takes over all EXIF fields of `from`, and only those.
static inline void cvips_replace_exif(VipsImage *from, VipsImage *to) {
    gchar **fields = vips_image_get_fields(to);
    for (int i = 0; fields && fields[i]; i++)
        if (g_str_has_prefix(fields[i], "exif-")) vips_image_remove(to, fields[i]);
    g_strfreev(fields);
    fields = vips_image_get_fields(from);
    for (int i = 0; fields && fields[i]; i++) {
        GValue value = G_VALUE_INIT;
        if (!g_str_has_prefix(fields[i], "exif-") || vips_image_get(from, fields[i], &value)) continue;
        vips_image_set(to, fields[i], &value);
        g_value_unset(&value);
    }
    g_strfreev(fields);
}

/// Coverage of a line of text, one 8-bit band, cut to its ink. `markup` is Pango's; `font` a Pango description with a size,
/// which at 72 dots per inch is in pixels. NULL where libvips was built without Pango, too.
static inline VipsImage *cvips_text(const char *markup, const char *font) {
    VipsImage *out = NULL;
    return vips_text(&out, markup, "font", font, "dpi", (int)72, NULL) ? NULL : out;
}
