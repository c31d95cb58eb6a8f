// CModels: embeds Models/<name>-x<scale>.safetensors and .json by C23's #embed. A model that is not there is left out,
// so the package builds before its first release. Touch this file after adding one.
#include "CModels.h"
#pragma clang diagnostic ignored "-Wc23-extensions"

#if __has_embed("../../Models/esrgan-x4.safetensors") == 1 && __has_embed("../../Models/esrgan-x4.json") == 1
#define HAS_ESRGAN_X4
static const unsigned char esrgan_x4_weights[] = {
#embed "../../Models/esrgan-x4.safetensors"
};
static const unsigned char esrgan_x4_card[] = {
#embed "../../Models/esrgan-x4.json"
};
#endif

#if __has_embed("../../Models/esrgan-psnr-x4.safetensors") == 1 && __has_embed("../../Models/esrgan-psnr-x4.json") == 1
#define HAS_ESRGAN_PSNR_X4
static const unsigned char esrgan_psnr_x4_weights[] = {
#embed "../../Models/esrgan-psnr-x4.safetensors"
};
static const unsigned char esrgan_psnr_x4_card[] = {
#embed "../../Models/esrgan-psnr-x4.json"
};
#endif

#if __has_embed("../../Models/fast-x2.safetensors") == 1 && __has_embed("../../Models/fast-x2.json") == 1
#define HAS_FAST_X2
static const unsigned char fast_x2_weights[] = {
#embed "../../Models/fast-x2.safetensors"
};
static const unsigned char fast_x2_card[] = {
#embed "../../Models/fast-x2.json"
};
#endif

#if __has_embed("../../Models/fast-x3.safetensors") == 1 && __has_embed("../../Models/fast-x3.json") == 1
#define HAS_FAST_X3
static const unsigned char fast_x3_weights[] = {
#embed "../../Models/fast-x3.safetensors"
};
static const unsigned char fast_x3_card[] = {
#embed "../../Models/fast-x3.json"
};
#endif

#if __has_embed("../../Models/fast-x4.safetensors") == 1 && __has_embed("../../Models/fast-x4.json") == 1
#define HAS_FAST_X4
static const unsigned char fast_x4_weights[] = {
#embed "../../Models/fast-x4.safetensors"
};
static const unsigned char fast_x4_card[] = {
#embed "../../Models/fast-x4.json"
};
#endif

#if __has_embed("../../Models/photo-x2.safetensors") == 1 && __has_embed("../../Models/photo-x2.json") == 1
#define HAS_PHOTO_X2
static const unsigned char photo_x2_weights[] = {
#embed "../../Models/photo-x2.safetensors"
};
static const unsigned char photo_x2_card[] = {
#embed "../../Models/photo-x2.json"
};
#endif

#if __has_embed("../../Models/photo-x4.safetensors") == 1 && __has_embed("../../Models/photo-x4.json") == 1
#define HAS_PHOTO_X4
static const unsigned char photo_x4_weights[] = {
#embed "../../Models/photo-x4.safetensors"
};
static const unsigned char photo_x4_card[] = {
#embed "../../Models/photo-x4.json"
};
#endif

#if __has_embed("../../Models/restore-x1.safetensors") == 1 && __has_embed("../../Models/restore-x1.json") == 1
#define HAS_RESTORE_X1
static const unsigned char restore_x1_weights[] = {
#embed "../../Models/restore-x1.safetensors"
};
static const unsigned char restore_x1_card[] = {
#embed "../../Models/restore-x1.json"
};
#endif

#if __has_embed("../../Models/restore-x2.safetensors") == 1 && __has_embed("../../Models/restore-x2.json") == 1
#define HAS_RESTORE_X2
static const unsigned char restore_x2_weights[] = {
#embed "../../Models/restore-x2.safetensors"
};
static const unsigned char restore_x2_card[] = {
#embed "../../Models/restore-x2.json"
};
#endif

#if __has_embed("../../Models/restore-x4.safetensors") == 1 && __has_embed("../../Models/restore-x4.json") == 1
#define HAS_RESTORE_X4
static const unsigned char restore_x4_weights[] = {
#embed "../../Models/restore-x4.safetensors"
};
static const unsigned char restore_x4_card[] = {
#embed "../../Models/restore-x4.json"
};
#endif

#if __has_embed("../../Models/restore-gan-x2.safetensors") == 1 && __has_embed("../../Models/restore-gan-x2.json") == 1
#define HAS_RESTORE_GAN_X2
static const unsigned char restore_gan_x2_weights[] = {
#embed "../../Models/restore-gan-x2.safetensors"
};
static const unsigned char restore_gan_x2_card[] = {
#embed "../../Models/restore-gan-x2.json"
};
#endif

#if __has_embed("../../Models/restore-gan-x4.safetensors") == 1 && __has_embed("../../Models/restore-gan-x4.json") == 1
#define HAS_RESTORE_GAN_X4
static const unsigned char restore_gan_x4_weights[] = {
#embed "../../Models/restore-gan-x4.safetensors"
};
static const unsigned char restore_gan_x4_card[] = {
#embed "../../Models/restore-gan-x4.json"
};
#endif

#if __has_embed("../../Models/srcnn-x2.safetensors") == 1 && __has_embed("../../Models/srcnn-x2.json") == 1
#define HAS_SRCNN_X2
static const unsigned char srcnn_x2_weights[] = {
#embed "../../Models/srcnn-x2.safetensors"
};
static const unsigned char srcnn_x2_card[] = {
#embed "../../Models/srcnn-x2.json"
};
#endif

#if __has_embed("../../Models/srcnn-x3.safetensors") == 1 && __has_embed("../../Models/srcnn-x3.json") == 1
#define HAS_SRCNN_X3
static const unsigned char srcnn_x3_weights[] = {
#embed "../../Models/srcnn-x3.safetensors"
};
static const unsigned char srcnn_x3_card[] = {
#embed "../../Models/srcnn-x3.json"
};
#endif

#if __has_embed("../../Models/srcnn-x4.safetensors") == 1 && __has_embed("../../Models/srcnn-x4.json") == 1
#define HAS_SRCNN_X4
static const unsigned char srcnn_x4_weights[] = {
#embed "../../Models/srcnn-x4.safetensors"
};
static const unsigned char srcnn_x4_card[] = {
#embed "../../Models/srcnn-x4.json"
};
#endif

#if __has_embed("../../Models/srgan-x4.safetensors") == 1 && __has_embed("../../Models/srgan-x4.json") == 1
#define HAS_SRGAN_X4
static const unsigned char srgan_x4_weights[] = {
#embed "../../Models/srgan-x4.safetensors"
};
static const unsigned char srgan_x4_card[] = {
#embed "../../Models/srgan-x4.json"
};
#endif

#if __has_embed("../../Models/text-x2.safetensors") == 1 && __has_embed("../../Models/text-x2.json") == 1
#define HAS_TEXT_X2
static const unsigned char text_x2_weights[] = {
#embed "../../Models/text-x2.safetensors"
};
static const unsigned char text_x2_card[] = {
#embed "../../Models/text-x2.json"
};
#endif

#if __has_embed("../../Models/text-x4.safetensors") == 1 && __has_embed("../../Models/text-x4.json") == 1
#define HAS_TEXT_X4
static const unsigned char text_x4_weights[] = {
#embed "../../Models/text-x4.safetensors"
};
static const unsigned char text_x4_card[] = {
#embed "../../Models/text-x4.json"
};
#endif

#define MODEL(id, name, scale) \
    {name, scale, id##_x##scale##_weights, sizeof id##_x##scale##_weights, id##_x##scale##_card, sizeof id##_x##scale##_card},

static const struct acuity_model models[] = {
#ifdef HAS_ESRGAN_X4
    MODEL(esrgan, "esrgan", 4)
#endif
#ifdef HAS_ESRGAN_PSNR_X4
    MODEL(esrgan_psnr, "esrgan-psnr", 4)
#endif
#ifdef HAS_FAST_X2
    MODEL(fast, "fast", 2)
#endif
#ifdef HAS_FAST_X3
    MODEL(fast, "fast", 3)
#endif
#ifdef HAS_FAST_X4
    MODEL(fast, "fast", 4)
#endif
#ifdef HAS_PHOTO_X2
    MODEL(photo, "photo", 2)
#endif
#ifdef HAS_PHOTO_X4
    MODEL(photo, "photo", 4)
#endif
#ifdef HAS_RESTORE_X1
    MODEL(restore, "restore", 1)
#endif
#ifdef HAS_RESTORE_X2
    MODEL(restore, "restore", 2)
#endif
#ifdef HAS_RESTORE_X4
    MODEL(restore, "restore", 4)
#endif
#ifdef HAS_RESTORE_GAN_X2
    MODEL(restore_gan, "restore-gan", 2)
#endif
#ifdef HAS_RESTORE_GAN_X4
    MODEL(restore_gan, "restore-gan", 4)
#endif
#ifdef HAS_SRCNN_X2
    MODEL(srcnn, "srcnn", 2)
#endif
#ifdef HAS_SRCNN_X3
    MODEL(srcnn, "srcnn", 3)
#endif
#ifdef HAS_SRCNN_X4
    MODEL(srcnn, "srcnn", 4)
#endif
#ifdef HAS_SRGAN_X4
    MODEL(srgan, "srgan", 4)
#endif
#ifdef HAS_TEXT_X2
    MODEL(text, "text", 2)
#endif
#ifdef HAS_TEXT_X4
    MODEL(text, "text", 4)
#endif
    {0},  // C has no empty arrays.
};

size_t acuity_model_count(void) { return sizeof models / sizeof *models - 1; }

struct acuity_model acuity_model_at(size_t index) { return models[index]; }
