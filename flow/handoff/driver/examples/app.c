/* Runs batches of images, and packs the next batch while one is computed, where memory allows. */
#include "app.h"

#include "image.h"
#include "samples.h"

#define SLOTS 2u
#define BATCHES 4u
#define MICROSECONDS 10000000u

static int tell(const struct reprise *dev, enum reprise_result result, void (*print)(const char *line))
{
    char text[REPRISE_MESSAGE];

    reprise_message(dev, result, text, sizeof text);
    print(text);
    return 1;
}

static enum reprise_result pack(struct reprise *dev, const struct reprise_slot *slot)
{
    enum reprise_result result = REPRISE_OK;
    uint32_t n;

    for (n = 0; n < REPRISE_IMAGE_IMAGES && result == REPRISE_OK; n++)
        result = reprise_pack(dev, slot, n, reprise_sample_pixels[n]);
    return result;
}

/* Return how many class scores of a batch differ from the model's, and print each image's class. */
static uint32_t compare(struct reprise *dev, const struct reprise_slot *slot, void (*print)(const char *line))
{
    char line[] = "image 0: class 000";
    uint32_t n, c, wrong = 0;

    for (n = 0; n < REPRISE_IMAGE_IMAGES; n++) {
        int64_t scores[REPRISE_IMAGE_CLASSES];
        uint32_t best;

        (void)reprise_scores(dev, slot, n, scores); /* n is a number of the batch, so it cannot fail */
        for (c = 0; c < REPRISE_IMAGE_CLASSES; c++)
            wrong += scores[c] != reprise_sample_scores[n][c];
        best = reprise_class(scores, REPRISE_IMAGE_CLASSES);
        line[6] = (char)('0' + n % 10);
        line[15] = (char)('0' + best / 100 % 10);
        line[16] = (char)('0' + best / 10 % 10);
        line[17] = (char)('0' + best % 10);
        print(line);
    }
    return wrong;
}

int app(struct reprise *dev, const unsigned char *constants, volatile unsigned char *memory, uint64_t base,
        uint64_t bytes, void (*print)(const char *line))
{
    struct reprise_slot slots[SLOTS];
    uint32_t count = bytes / REPRISE_IMAGE_STRIDE < SLOTS ? (uint32_t)(bytes / REPRISE_IMAGE_STRIDE) : SLOTS;
    uint32_t n, wrong = 0;
    enum reprise_result result = reprise_probe(dev, REPRISE_IMAGE_HASH);

    if (count == 0) {
        print("the memory must be at least REPRISE_IMAGE_STRIDE bytes: allocate more");
        return 1;
    }
    for (n = 0; n < count && result == REPRISE_OK; n++)
        result = reprise_load(dev, &slots[n], &reprise_image, constants, memory + n * REPRISE_IMAGE_STRIDE,
                              base + n * REPRISE_IMAGE_STRIDE);
    if (result == REPRISE_OK)
        result = pack(dev, &slots[0]);
    for (n = 0; n < BATCHES && result == REPRISE_OK; n++) {
        const struct reprise_slot *slot = &slots[n % count];

        result = reprise_submit(dev, slot, dev->pause != NULL);
        if (result == REPRISE_OK && count > 1) /* the accelerator reads its own slot alone */
            result = pack(dev, &slots[(n + 1) % count]);
        if (result == REPRISE_OK)
            result = reprise_finish(dev, slot, MICROSECONDS);
        if (result == REPRISE_OK)
            wrong += compare(dev, slot, print);
    }
    if (result != REPRISE_OK)
        return tell(dev, result, print);
    print(wrong == 0 ? "PASS: all class scores are those of the model" : "FAIL: class scores differ from the model's");
    return wrong != 0;
}
