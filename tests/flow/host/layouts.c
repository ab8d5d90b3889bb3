/* Packs a batch and unpacks outputs, without an accelerator: layouts memory.bin PIXELS BEFORE AFTER VALUES SCORES. Writes
 * the memory after packing to BEFORE, reads the memory after a job from AFTER, and writes what its outputs hold. */
#include <stdio.h>
#include <stdlib.h>

#include "image.h"

static FILE *opened(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);

    if (file == NULL)
        exit(3);
    return file;
}

/* Return whether the input maps of image `n` hold its pixels, and no more in frames where nothing is shown. */
static int holds(const struct reprise_slot *slot, uint32_t n, const unsigned char *pixels)
{
    uint32_t m, t, c, y, x;

    for (m = 0; m < reprise_image.input_count; m++) {
        const struct reprise_map *map = &reprise_image.inputs[m];

        for (t = 0; t < map->frames; t++)
            for (c = 0; c < map->channels; c++)
                for (y = 0; y < map->height; y++)
                    for (x = 0; x < map->width; x++) {
                        const uint32_t frame = reprise_image.input_mode == REPRISE_INPUT_GIVEN ? t : 0;
                        const uint32_t channels = map->channels / map->taps; /* the rows of a window are channels */
                        const uint32_t below = y * map->row_step + c / channels; /* the first padding row */
                        const int inside = below >= map->row_padding && below - map->row_padding < map->image_rows;
                        const uint32_t row = inside ? below - map->row_padding : 0;
                        const size_t at = (frame * channels + c % channels) * map->image_rows + row;
                        const unsigned char pixel = inside ? pixels[at * map->width + x] : 0;
                        int32_t level = map->is_signed && pixel > 127 ? (int32_t)pixel - 256 : (int32_t)pixel;

                        if (reprise_image.input_mode == REPRISE_INPUT_ONCE && t > 0)
                            level = 0;
                        if (reprise_value(slot, map, n, t, c, y, x) != level)
                            return 0;
                    }
    }
    return 1;
}

static unsigned char *content(const char *path, size_t bytes)
{
    unsigned char *found = (unsigned char *)malloc(bytes);
    FILE *file = opened(path, "rb");

    if (found == NULL || fread(found, 1, bytes, file) != bytes)
        exit(3);
    (void)fclose(file);
    return found;
}

int main(int argc, char **argv)
{
    struct reprise dev = { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0 };
    struct reprise_slot slot;
    unsigned char *memory = (unsigned char *)calloc(1, REPRISE_IMAGE_STRIDE), *after;
    const unsigned char *constants, *pixels;
    int64_t scores[REPRISE_IMAGE_CLASSES];
    uint32_t n, m;
    FILE *file;

    if (argc != 7 || memory == NULL || reprise_pixel_bytes(&reprise_image) != REPRISE_IMAGE_INPUT_BYTES)
        return 3;
    constants = content(argv[1], REPRISE_IMAGE_CONSTANT_BYTES);
    pixels = content(argv[2], REPRISE_IMAGE_IMAGES * REPRISE_IMAGE_INPUT_BYTES);
    if (reprise_load(&dev, &slot, &reprise_image, constants, memory, 0x123456000) != REPRISE_OK)
        return 4;
    for (n = 0; n < REPRISE_IMAGE_IMAGES; n++)
        if (reprise_pack(&dev, &slot, n, pixels + n * REPRISE_IMAGE_INPUT_BYTES) != REPRISE_OK)
            return 5;
    for (n = 0; n < REPRISE_IMAGE_IMAGES; n++)
        if (!holds(&slot, n, pixels + n * REPRISE_IMAGE_INPUT_BYTES))
            return 8;
    file = opened(argv[3], "wb");
    (void)fwrite(memory, 1, REPRISE_IMAGE_SIZE, file);
    (void)fclose(file);
    after = content(argv[4], REPRISE_IMAGE_SIZE);
    slot.memory = after;
    file = opened(argv[5], "wb");
    for (m = 0; m < reprise_image.output_count; m++)
        for (n = 0; n < REPRISE_IMAGE_IMAGES; n++) {
            const struct reprise_map *map = &reprise_image.outputs[m];
            const size_t count = (size_t)map->frames * map->channels * map->height * map->width;
            int32_t *values = (int32_t *)malloc(count * sizeof *values);

            if (values == NULL || reprise_unpack(&dev, &slot, map, n, values) != REPRISE_OK)
                return 6;
            (void)fwrite(values, sizeof *values, count, file);
            free(values);
        }
    (void)fclose(file);
    file = opened(argv[6], "wb");
    for (n = 0; n < REPRISE_IMAGE_IMAGES; n++) {
        if (reprise_scores(&dev, &slot, n, scores) != REPRISE_OK)
            return 7;
        (void)fwrite(scores, sizeof *scores, REPRISE_IMAGE_CLASSES, file);
    }
    (void)fclose(file);
    return 0;
}
