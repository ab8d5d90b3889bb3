/* Driver of the Reprise accelerator: compiled networks; see reprise_image.h. Memory is written and read byte by byte
 * through volatile pointers, so that it may be mapped as device memory, and no memcpy is called. */
#include "reprise_image.h"

static enum reprise_result refuse(struct reprise *dev, enum reprise_result result, uint64_t value)
{
    dev->value = value;
    return result;
}

static const struct reprise_map *result_of(const struct reprise_image *image)
{
    return &image->outputs[image->output_count - 1];
}

static void flush(const struct reprise *dev, const struct reprise_slot *slot, uint64_t offset, uint64_t bytes)
{
    if (dev->flush != NULL)
        dev->flush(dev->context, slot->memory + (size_t)offset, (size_t)bytes);
}

static uint64_t read_wide(const unsigned char *from)
{
    uint64_t value = 0;
    int i;

    for (i = 7; i >= 0; i--)
        value = value << 8 | from[i];
    return value;
}

/* Copy a command; its addresses become those of the new base. */
static int move_command(volatile unsigned char *to, const unsigned char *from, uint64_t distance)
{
    static const unsigned char words[REPRISE_OPCODES][REPRISE_COMMAND_ADDRESSES] = REPRISE_ADDRESS_WORDS;
    uint32_t i, j;

    if (from[0] >= REPRISE_OPCODES)
        return 0;
    for (i = 0; i < REPRISE_COMMAND_BYTES; i++)
        to[i] = from[i];
    for (i = 0; i < REPRISE_COMMAND_ADDRESSES; i++) {
        const uint32_t at = 4u * words[from[0]][i];
        uint64_t address;

        if (at == 0)
            break;
        address = read_wide(from + at) + distance;
        for (j = 0; j < 8; j++)
            to[at + j] = (unsigned char)(address >> (8 * j) & 0xff);
    }
    return 1;
}

enum reprise_result reprise_load(struct reprise *dev, struct reprise_slot *slot, const struct reprise_image *image,
                                 const unsigned char *constants, volatile unsigned char *memory, uint64_t base)
{
    const uint64_t most = (uint64_t)1 << REPRISE_ADDRESS_BITS, last = image->program + image->program_bytes;
    uint64_t at;

    if (base % REPRISE_BASE_ALIGNMENT != 0)
        return refuse(dev, REPRISE_BAD_BASE, base);
    if (base > most || image->size > most - base)
        return refuse(dev, REPRISE_TOO_FAR, base + image->size);
    slot->image = image;
    slot->memory = memory;
    slot->base = base;
    for (at = 0; at < image->program; at++)
        memory[(size_t)at] = constants[(size_t)at];
    for (; at < last; at += REPRISE_COMMAND_BYTES)
        if (!move_command(memory + (size_t)at, constants + (size_t)at, base - image->compiled_base))
            return refuse(dev, REPRISE_BAD_PART, constants[(size_t)at]);
    for (; at < image->constant_bytes; at++)
        memory[(size_t)at] = constants[(size_t)at];
    flush(dev, slot, 0, image->size);
    return REPRISE_OK;
}

static size_t frame_bytes(const struct reprise_map *map)
{
    return (size_t)(map->channels / map->taps) * map->image_rows * map->width;
}

size_t reprise_pixel_bytes(const struct reprise_image *image)
{
    return image->input_frames * frame_bytes(image->inputs);
}

/* Return where the line of a row begins, counted from the image's first byte. */
static size_t line_offset(const struct reprise_map *map, uint32_t number, uint32_t block, uint32_t y, uint32_t line)
{
    const size_t row = ((size_t)number * map->blocks + block) * map->height + y;

    return (size_t)map->offset + (row * map->lines_per_row + line) * map->line_bytes;
}

static unsigned plane_bit(const struct reprise_map *map, unsigned level, unsigned plane)
{
    return map->thermometer ? level > plane : level >> plane & 1u;
}

/* Return the level of a pixel of a frame, which is 0 where nothing is shown: without a frame, and outside of it. */
static unsigned level_of(const struct reprise_map *map, const unsigned char *frame, uint32_t channel, uint32_t y,
                         uint32_t x)
{
    const uint32_t channels = map->channels / map->taps;
    const uint64_t row = (uint64_t)y * map->row_step + channel / channels; /* counted from the padding's first row */

    if (frame == NULL || channel >= map->channels || row < map->row_padding || row - map->row_padding >= map->image_rows)
        return 0;
    if (map->order != NULL) /* `channel` is a place in the map */
        channel = map->order[channel];
    return frame[((size_t)(channel % channels) * map->image_rows + (size_t)(row - map->row_padding)) * map->width + x];
}

/* Write one plane of one row of pixels. `frame` is NULL where nothing is shown. */
static void pack_line(volatile unsigned char *to, const struct reprise_map *map, const unsigned char *frame,
                      uint32_t block, uint32_t y, uint32_t plane)
{
    volatile unsigned char *const end = to + map->line_bytes;
    unsigned byte = 0, bits = 0;
    uint32_t x, c;

    for (x = 0; x < map->width; x++)
        for (c = 0; c < map->block_channels; c++) {
            const unsigned level = level_of(map, frame, block * map->block_channels + c, y, x);

            byte |= plane_bit(map, level, plane) << bits;
            if (++bits == 8) {
                *to++ = (unsigned char)byte;
                byte = bits = 0;
            }
        }
    for (; to != end; byte = 0)
        *to++ = (unsigned char)byte;
}

static void pack_map(const struct reprise_slot *slot, const struct reprise_map *map, uint32_t number,
                     const unsigned char *pixels)
{
    const enum reprise_input_mode mode = slot->image->input_mode;
    uint32_t block, y, t, p;

    for (t = 0; t < map->frames; t++) {
        const unsigned char *frame = pixels;

        if (mode == REPRISE_INPUT_GIVEN)
            frame += t * frame_bytes(map);
        else if (mode == REPRISE_INPUT_ONCE && t > 0)
            frame = NULL;
        for (block = 0; block < map->blocks; block++)
            for (y = 0; y < map->height; y++)
                for (p = 0; p < map->planes; p++)
                    pack_line(slot->memory + line_offset(map, number, block, y, t * map->planes + p), map, frame,
                              block, y, p);
    }
}

enum reprise_result reprise_pack(struct reprise *dev, const struct reprise_slot *slot, uint32_t number,
                                 const unsigned char *pixels)
{
    const struct reprise_image *image = slot->image;
    const size_t count = reprise_pixel_bytes(image);
    uint32_t m;
    size_t i;

    if (number >= image->images)
        return refuse(dev, REPRISE_BAD_NUMBER, number);
    for (i = 0; i < count && !image->inputs->is_signed; i++)
        if (pixels[i] > image->inputs->levels)
            return refuse(dev, REPRISE_BAD_LEVEL, pixels[i]);
    for (m = 0; m < image->input_count; m++)
        pack_map(slot, &image->inputs[m], number, pixels);
    return REPRISE_OK;
}

enum reprise_result reprise_submit(struct reprise *dev, const struct reprise_slot *slot, int interrupt)
{
    const struct reprise_image *image = slot->image;
    struct reprise_windows windows = image->windows;
    uint32_t m;

    for (m = 0; m < image->input_count; m++)
        flush(dev, slot, image->inputs[m].offset, image->inputs[m].bytes);
    windows.read_base += slot->base;
    windows.write_base += slot->base;
    return reprise_start(dev, slot->base + image->program, &windows, interrupt);
}

enum reprise_result reprise_finish(struct reprise *dev, const struct reprise_slot *slot, uint64_t microseconds)
{
    const struct reprise_windows *windows = &slot->image->windows;
    const enum reprise_result result = reprise_wait(dev, microseconds);

    if (result == REPRISE_OK && dev->invalidate != NULL)
        dev->invalidate(dev->context, slot->memory + (size_t)windows->write_base, (size_t)windows->write_size);
    return result;
}

int32_t reprise_value(const struct reprise_slot *slot, const struct reprise_map *map, uint32_t number, uint32_t frame,
                      uint32_t channel, uint32_t y, uint32_t x)
{
    const uint32_t at = map->place != NULL ? map->place[channel] : channel;
    const uint32_t block = at / map->block_channels, within = at % map->block_channels;
    uint32_t p, value = 0;

    if (map->int_bytes) {
        const size_t before = ((size_t)number * map->blocks + block) * map->block_bytes;
        const size_t place = (size_t)frame * map->frame_bytes + (size_t)y * map->row_bytes + x * map->line_bytes;
        const volatile unsigned char *from = slot->memory + map->offset + before + place + within * map->int_bytes;

        for (p = 0; p < map->int_bytes; p++)
            value |= (uint32_t)from[p] << (8 * p);
        if (from[p - 1] & 0x80u)
            for (; p < 4; p++)
                value |= 0xffu << (8 * p);
    } else {
        const size_t bit = (size_t)x * map->block_channels + within;

        for (p = 0; p < map->planes; p++) {
            const size_t line = line_offset(map, number, block, y, frame * map->planes + p);
            const uint32_t set = slot->memory[line + bit / 8] >> (bit % 8) & 1u;

            value += map->thermometer ? set : set << p;
        }
        if (map->is_signed && value > 127)
            value -= 256;
    }
    return value > 0x7fffffffu ? -(int32_t)~value - 1 : (int32_t)value;
}

enum reprise_result reprise_unpack(struct reprise *dev, const struct reprise_slot *slot, const struct reprise_map *map,
                                   uint32_t number, int32_t *values)
{
    uint32_t t, c, y, x;

    if (number >= slot->image->images)
        return refuse(dev, REPRISE_BAD_NUMBER, number);
    for (t = 0; t < map->frames; t++)
        for (c = 0; c < map->channels; c++)
            for (y = 0; y < map->height; y++)
                for (x = 0; x < map->width; x++)
                    *values++ = reprise_value(slot, map, number, t, c, y, x);
    return REPRISE_OK;
}

enum reprise_result reprise_scores(struct reprise *dev, const struct reprise_slot *slot, uint32_t number,
                                   int64_t *scores)
{
    const struct reprise_map *map = result_of(slot->image);
    uint32_t t, c, y, x;

    if (number >= slot->image->images)
        return refuse(dev, REPRISE_BAD_NUMBER, number);
    for (c = 0; c < map->channels; c++) {
        int64_t sum = 0;

        for (t = map->potentials ? map->frames - 1 : 0; t < map->frames; t++)
            for (y = 0; y < map->height; y++)
                for (x = 0; x < map->width; x++)
                    sum += reprise_value(slot, map, number, t, c, y, x);
        scores[c] = sum;
    }
    return REPRISE_OK;
}

uint32_t reprise_class(const int64_t *scores, uint32_t count)
{
    uint32_t best = 0, i;

    for (i = 1; i < count; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}
