// CJPEG: the quantised coefficients of a JPEG file. libjpeg reports errors by a long jump, which must not cross Swift.
#pragma once
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/// A file whose coefficients are in memory.
typedef struct {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    jvirt_barray_ptr *blocks;
} cjpeg_file;

static void cjpeg_fail(j_common_ptr info) {
    cjpeg_file *file = (cjpeg_file *)info->client_data;
    longjmp(file->escape, 1);
}

/// Damaged data is as bad as none.
static void cjpeg_warn(j_common_ptr info, int level) {
    if (level < 0) cjpeg_fail(info);
}

/// Thousands of scans over a large picture are an attack.
static void cjpeg_progress(j_common_ptr info) {
    if (((j_decompress_ptr)info)->input_scan_number > 200) cjpeg_fail(info);
}

static inline void cjpeg_close(cjpeg_file *file) {
    if (file) jpeg_destroy_decompress(&file->info);
    free(file);
}

/// Reads the header, and all coefficients where they take at most `most` bytes. `bytes` may go afterwards.
/// NULL for anything but a sound JPEG file of 8 bits whose coefficients are quantised.
static inline cjpeg_file *cjpeg_open(const void *bytes, size_t size, size_t most) {
    cjpeg_file *file = (cjpeg_file *)calloc(1, sizeof *file);
    if (!file) return NULL;
    file->info.err = jpeg_std_error(&file->errors);
    file->errors.error_exit = cjpeg_fail;
    file->errors.emit_message = cjpeg_warn;
    file->progress.progress_monitor = cjpeg_progress;
    file->info.client_data = file;
    if (setjmp(file->escape)) {
        cjpeg_close(file);
        return NULL;
    }
    jpeg_create_decompress(&file->info);
    file->info.client_data = file;
    file->info.progress = &file->progress;
    jpeg_mem_src(&file->info, (const unsigned char *)bytes, size);
    jpeg_read_header(&file->info, TRUE);
    size_t need = 0;
    for (int c = 0; c < file->info.num_components; c++) {
        const jpeg_component_info *component = file->info.comp_info + c;
        need += (size_t)file->info.image_width * file->info.image_height * 2 * component->h_samp_factor * component->v_samp_factor /
                ((size_t)file->info.max_h_samp_factor * file->info.max_v_samp_factor);
    }
    if (need > most || file->info.data_precision != 8) cjpeg_fail((j_common_ptr)&file->info);
    file->blocks = jpeg_read_coefficients(&file->info);
    return file;
}

/// A row of blocks, coefficients from left to right in the order of a printed page; NULL beyond the picture.
static inline const int16_t *cjpeg_row(cjpeg_file *file, int component, int row) {
    if (setjmp(file->escape)) return NULL;
    if (component >= file->info.num_components || row >= (int)file->info.comp_info[component].height_in_blocks) return NULL;
    JBLOCKARRAY rows = file->info.mem->access_virt_barray((j_common_ptr)&file->info, file->blocks[component], (JDIMENSION)row, 1, FALSE);
    return (const int16_t *)rows[0];
}
