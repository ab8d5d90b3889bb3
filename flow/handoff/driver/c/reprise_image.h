/* The C driver of the Reprise accelerator: compiled networks. `reprise image` writes memory.bin and image.h, which holds
 * a struct reprise_image called `reprise_image`. A program loads the image at any base address, as often as there is
 * memory, packs pixels, runs, and reads scores:
 *
 *   struct reprise_slot slot;
 *   reprise_load(&dev, &slot, &reprise_image, constants, memory, base);   (constants: memory.bin)
 *   for each image of the batch: reprise_pack(&dev, &slot, number, pixels);
 *   reprise_submit(&dev, &slot, 0);
 *   reprise_finish(&dev, &slot, 1000000);
 *   for each image of the batch: reprise_scores(&dev, &slot, number, scores);
 *
 * With a second slot, at base + REPRISE_IMAGE_STRIDE, the next batch is packed while the first one is computed.
 */
#ifndef REPRISE_DRIVER_IMAGE_H
#define REPRISE_DRIVER_IMAGE_H

#include "reprise.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a feature map lies in memory (docs/memory-map.md). It is cut into blocks of `block_channels` channels, and has a
 * line for each [image][block][y][frame][plane]. An integer map, as of potentials, has a string of integers for each
 * [image][block][frame][y][x], and maybe room behind each frame. A row of a gathered input holds `taps` image rows one
 * after the other as channels: row y those from `y * row_step - row_padding` on. */
struct reprise_map {
    const char *name;
    uint64_t offset;         /* bytes from the image's base to the first line */
    uint64_t bytes;
    uint32_t frames;         /* timesteps that are stored: one of a static input */
    uint32_t channels, height, width;
    uint32_t block_channels, blocks;
    uint32_t planes;         /* of a level */
    uint32_t line_bytes;     /* of a line, or of a string of integers */
    uint32_t lines_per_row;
    uint32_t int_bytes;      /* of an integer, 0 for planes */
    uint32_t frame_bytes;    /* from a frame of an integer map to the next */
    uint32_t row_bytes;      /* from a row of an integer map to the next */
    uint32_t block_bytes;
    uint32_t levels;         /* largest level, 0 for potentials and sums */
    int potentials;          /* a readout's: the last frame is the result */
    int thermometer;         /* a level is the number of planes that are set, instead of a binary number */
    int is_signed;           /* levels are 8 bits in two's complement */
    uint32_t taps;           /* image rows that a row holds, 1 of a map that is not gathered */
    uint32_t row_step, row_padding;
    uint32_t image_rows;     /* of the image itself */
    const uint16_t *order;   /* channels as they lie in the map, NULL if in their own order */
    const uint16_t *place;   /* where each channel lies in the map, NULL if in their own order */
};

enum reprise_input_mode {
    REPRISE_INPUT_REPEAT,    /* pixels of one frame, shown at every timestep */
    REPRISE_INPUT_ONCE,      /* pixels of one frame, shown at the first timestep */
    REPRISE_INPUT_GIVEN      /* pixels of all frames */
};

/* A compiled network. Offsets are bytes from the base address. */
struct reprise_image {
    uint32_t hash;           /* of the configuration, for reprise_probe */
    uint32_t images;         /* of a batch: one start runs so many */
    uint64_t size;           /* bytes that the accelerator uses from the base on */
    uint64_t constant_bytes; /* of memory.bin */
    uint64_t compiled_base;  /* base address that stands in memory.bin */
    uint64_t program, program_bytes;
    struct reprise_windows windows; /* bases as offsets */
    enum reprise_input_mode input_mode;
    uint32_t input_frames;   /* frames of an image's pixels */
    const struct reprise_map *inputs; /* the input in each encoding that is read */
    uint32_t input_count;
    const struct reprise_map *outputs; /* what can be read after a job; the last is the network's result */
    uint32_t output_count;
};

/* An image in memory. */
struct reprise_slot {
    const struct reprise_image *image;
    volatile unsigned char *memory; /* where the program sees the image's first byte */
    uint64_t base;                  /* the same byte's address for the accelerator */
};

/* Copy an image's constants (memory.bin) to `memory`, which has image->size bytes, with the addresses of its program
 * moved to `base`, and flush it. The base is a physical address: a multiple of REPRISE_BASE_ALIGNMENT, so that the image
 * ends at 2**40 or below. Fails with REPRISE_BAD_BASE, REPRISE_TOO_FAR or REPRISE_BAD_PART. */
enum reprise_result reprise_load(struct reprise *dev, struct reprise_slot *slot, const struct reprise_image *image,
                                 const unsigned char *constants, volatile unsigned char *memory, uint64_t base);

/* Return the bytes of an image's pixels: [frame][channel][y][x], a byte each, in two's complement if the input is
 * signed. */
size_t reprise_pixel_bytes(const struct reprise_image *image);

/* Write the pixels of image `number` of the batch into the input maps. Images of a batch that are not packed hold what
 * was there. Fails with REPRISE_BAD_NUMBER or REPRISE_BAD_LEVEL. */
enum reprise_result reprise_pack(struct reprise *dev, const struct reprise_slot *slot, uint32_t number,
                                 const unsigned char *pixels);

/* Flush the input maps and start the slot's program with the tightest windows; see reprise_start. */
enum reprise_result reprise_submit(struct reprise *dev, const struct reprise_slot *slot, int interrupt);

/* Wait for the end of the job, see reprise_wait, and make its outputs visible to the program. */
enum reprise_result reprise_finish(struct reprise *dev, const struct reprise_slot *slot, uint64_t microseconds);

/* Return one level or potential of an output map after a job, for image `number` of the batch. */
int32_t reprise_value(const struct reprise_slot *slot, const struct reprise_map *map, uint32_t number, uint32_t frame,
                      uint32_t channel, uint32_t y, uint32_t x);

/* Read an output map of image `number`: levels or potentials [frame][channel][y][x]. */
enum reprise_result reprise_unpack(struct reprise *dev, const struct reprise_slot *slot, const struct reprise_map *map,
                                   uint32_t number, int32_t *values);

/* Read the class scores of image `number`, one for each channel of the network's result: the potentials of the last
 * timestep, or the levels of all timesteps, summed over the positions. */
enum reprise_result reprise_scores(struct reprise *dev, const struct reprise_slot *slot, uint32_t number,
                                   int64_t *scores);

/* Return the class: the first of the largest scores. */
uint32_t reprise_class(const int64_t *scores, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
