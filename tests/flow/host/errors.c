/* Every result that the driver can give, on the simulated device: errors memory.bin. Prints NAME: MESSAGE for each. */
#include "hooks.h"

#include "image.h"
#include "samples.h"

#define BASE ((uint64_t)0x180000000)
#define PAGE 4096u
#define TIME 1000000u

static struct reprise dev = { sim_read, sim_write, NULL, sim_clock, sim_pause, sim_barrier, sim_flush, sim_invalidate,
                              sim_reset, 0 };
static struct reprise_slot slot;
static const unsigned char *constants;
static unsigned char *memory;
static int failures;
static uint32_t flip_at = 1, flip;

static void expect(const char *name, enum reprise_result wanted, enum reprise_result seen)
{
    char text[REPRISE_MESSAGE];

    reprise_message(&dev, seen, text, sizeof text);
    (void)printf("%s: ", name);
    print(text);
    if (seen != wanted) {
        (void)printf("  must be %d, not %d\n", (int)wanted, (int)seen);
        failures++;
    }
}

#define EXPECT(name, seen) expect(#name, REPRISE_##name, seen)

static uint32_t flipped_read(void *context, uint32_t offset)
{
    return sim_read(context, offset) ^ (offset == flip_at ? flip : 0);
}

static enum reprise_result load(void)
{
    return reprise_load(&dev, &slot, &reprise_image, constants, memory, BASE);
}

/* Run the image as it is in memory. */
static enum reprise_result run(void)
{
    const enum reprise_result result = reprise_submit(&dev, &slot, 1);

    return result != REPRISE_OK ? result : reprise_finish(&dev, &slot, TIME);
}

/* Run a sample, and compare its scores: the device works after whatever was before. */
static void works(void)
{
    int64_t scores[REPRISE_IMAGE_CLASSES];
    uint32_t n, c;

    for (n = 0; n < REPRISE_IMAGE_IMAGES; n++)
        EXPECT(OK, reprise_pack(&dev, &slot, n, reprise_sample_pixels[n]));
    EXPECT(OK, run());
    for (n = 0; n < REPRISE_IMAGE_IMAGES; n++) {
        EXPECT(OK, reprise_scores(&dev, &slot, n, scores));
        for (c = 0; c < REPRISE_IMAGE_CLASSES; c++)
            failures += scores[c] != reprise_sample_scores[n][c];
    }
}

static enum reprise_result start(uint64_t program, uint64_t read_base, uint64_t read_size, uint64_t write_base,
                                 uint64_t write_size)
{
    struct reprise_windows windows;

    windows.read_base = read_base;
    windows.read_size = read_size;
    windows.write_base = write_base;
    windows.write_size = write_size;
    return reprise_start(&dev, program, &windows, 0);
}

static void device(void)
{
    static const uint32_t registers[] = { REPRISE_ID, REPRISE_VERSION, REPRISE_CONFIG_HASH };
    static const enum reprise_result wanted[] = { REPRISE_NO_DEVICE, REPRISE_OTHER_VERSION, REPRISE_OTHER_CONFIG };
    uint32_t i;

    EXPECT(OK, reprise_probe(&dev, 0));
    EXPECT(OK, reprise_probe(&dev, REPRISE_IMAGE_HASH));
    dev.read = flipped_read;
    flip = 0x80000000u;
    for (i = 0; i < 3; i++) {
        flip_at = registers[i];
        expect("probe", wanted[i], reprise_probe(&dev, REPRISE_IMAGE_HASH));
    }
    dev.read = sim_read;
    EXPECT(IDLE, reprise_result(&dev));
    EXPECT(IDLE, reprise_interrupt(&dev));
    dev.clock = NULL;
    EXPECT(NO_CLOCK, reprise_wait(&dev, TIME));
    dev.clock = sim_clock;
}

static void addresses(void)
{
    static const uint64_t end = (uint64_t)1 << 40;
    const uint64_t program = BASE + REPRISE_IMAGE_PROGRAM, size = REPRISE_IMAGE_SIZE;

    EXPECT(BAD_BASE, reprise_load(&dev, &slot, &reprise_image, constants, memory, BASE + 64));
    EXPECT(TOO_FAR, reprise_load(&dev, &slot, &reprise_image, constants, memory, end - PAGE));
    EXPECT(TOO_FAR, reprise_load(&dev, &slot, &reprise_image, constants, memory, end));
    EXPECT(TOO_FAR, reprise_load(&dev, &slot, &reprise_image, constants, memory, UINT64_MAX - PAGE + 1));
    EXPECT(OK, load());
    EXPECT(BAD_NUMBER, reprise_pack(&dev, &slot, REPRISE_IMAGE_IMAGES, reprise_sample_pixels[0]));
    memory[REPRISE_IMAGE_PROGRAM] = 77;
    EXPECT(BAD_PART, reprise_load(&dev, &slot, &reprise_image, memory, memory, BASE));
    EXPECT(OK, load());
    EXPECT(BAD_PROGRAM, start(program + 4, BASE, size, BASE, size));
    EXPECT(BAD_PROGRAM, start(end, BASE, size, BASE, size));
    EXPECT(BAD_PROGRAM, start(program | end << 1, BASE, size, BASE, size));
    EXPECT(BAD_WINDOW, start(program, BASE + 4, size, BASE, size));
    EXPECT(BAD_WINDOW, start(program, BASE, size + 4, BASE, size));
    EXPECT(BAD_WINDOW, start(program, BASE, size, end, 64));
    EXPECT(BAD_WINDOW, start(program, BASE, size, BASE, end));
    EXPECT(BAD_WINDOW, start(program, BASE, size, BASE | end << 1, size));
    works();
}

static void levels(void)
{
    unsigned char pixels[REPRISE_IMAGE_INPUT_BYTES];
    uint32_t i;

    for (i = 0; i < REPRISE_IMAGE_INPUT_BYTES; i++)
        pixels[i] = (unsigned char)(i == 5 ? REPRISE_IMAGE_INPUT_LEVELS + 1 : 0);
    EXPECT(BAD_LEVEL, reprise_pack(&dev, &slot, 0, pixels));
}

/* Change one byte of the image in memory, run it, and load it again. */
static enum reprise_result spoiled(uint64_t offset, unsigned char value)
{
    enum reprise_result result;

    memory[offset] = value;
    result = run();
    (void)load();
    return result;
}

/* Return the offset of the first command of an opcode. */
static uint64_t command(unsigned char opcode)
{
    uint64_t at = REPRISE_IMAGE_PROGRAM;

    while (memory[at] != opcode)
        at += REPRISE_COMMAND_BYTES;
    return at;
}

/* A channel whose threshold is 0, which LOAD_PARAMS (opcode 3) refuses. */
static enum reprise_result bad_parameters(void)
{
    const uint64_t at = command(3) + 4;
    const uint64_t parameters = ((uint64_t)memory[at] | (uint64_t)memory[at + 1] << 8 | (uint64_t)memory[at + 2] << 16);

    memory[parameters + 5] = memory[parameters + 6] = memory[parameters + 7] = 0;
    return spoiled(parameters + 4, 0);
}

/* A BARRIER (opcode 5) in the place of the first LOAD_FEATURES (opcode 1). */
static enum reprise_result no_features(void)
{
    const uint64_t at = command(1);
    uint32_t i;

    for (i = 4; i < REPRISE_COMMAND_BYTES; i++)
        memory[at + i] = 0;
    return spoiled(at, 5);
}

static void jobs(void)
{
    const uint64_t program = BASE + REPRISE_IMAGE_PROGRAM, size = REPRISE_IMAGE_SIZE;

    EXPECT(ERROR_COMMAND, spoiled(REPRISE_IMAGE_PROGRAM + 3, 0));
    EXPECT(ERROR_FIELD, spoiled(REPRISE_IMAGE_PROGRAM + 4, 4)); /* the first load's address is no bus word's */
    EXPECT(ERROR_DATA, bad_parameters());
    EXPECT(ERROR_UNLOADED, no_features());
    shim_fault(program, program);
    EXPECT(ERROR_READ, run());
    shim_fault(BASE + REPRISE_IMAGE_WRITE_OFFSET, BASE + REPRISE_IMAGE_WRITE_OFFSET + REPRISE_IMAGE_WRITE_SIZE);
    EXPECT(ERROR_WRITE, run());
    shim_fault(1, 0);
    reprise_watchdog(&dev, 2);
    EXPECT(ERROR_WATCHDOG, run());
    reprise_watchdog(&dev, 1u << 20);
    EXPECT(OK, reprise_submit(&dev, &slot, 0));
    EXPECT(BUSY, reprise_result(&dev));
    EXPECT(BUSY, reprise_submit(&dev, &slot, 0));
    EXPECT(TIMEOUT, reprise_wait(&dev, 1));
    reprise_stop(&dev);
    EXPECT(ERROR_STOPPED, reprise_finish(&dev, &slot, TIME));
    EXPECT(OK, start(program, BASE, 0, BASE, size));
    EXPECT(ERROR_READ_WINDOW, reprise_wait(&dev, TIME));
    EXPECT(OK, start(program, BASE, size, BASE, 0));
    EXPECT(ERROR_WRITE_WINDOW, reprise_wait(&dev, TIME));
    dev.write = sim_write;
    works();
}

/* What the driver refuses, but the registers would take. */
static void behind_the_driver(void)
{
    shim_write(REPRISE_PROGRAM_LO, 4);
    shim_write(REPRISE_CONTROL, REPRISE_CONTROL_START_MASK);
    EXPECT(ERROR_START, reprise_wait(&dev, TIME));
}

static void bus(void)
{
    shim_hang(1);
    EXPECT(OK, reprise_submit(&dev, &slot, 0));
    EXPECT(TIMEOUT, reprise_wait(&dev, 100));
    reprise_stop(&dev);
    EXPECT(BUS_HUNG, reprise_wait(&dev, TIME));
    if (reprise_error(&dev) != REPRISE_ERROR_STOPPED)
        failures++;
    EXPECT(BUS_HUNG, reprise_submit(&dev, &slot, 0));
    dev.reset = NULL;
    EXPECT(NO_RESET, reprise_reset(&dev));
    dev.reset = sim_reset;
    dev.read = flipped_read;
    flip_at = REPRISE_STATUS;
    flip = REPRISE_STATUS_BUS_HUNG_MASK;
    EXPECT(RESET_FAILED, reprise_reset(&dev));
    dev.read = sim_read;
    EXPECT(OK, reprise_reset(&dev));
    EXPECT(IDLE, reprise_result(&dev));
    works();
}

static void counters(void)
{
    uint32_t values[REPRISE_COUNTERS];

    works();
    reprise_counters(&dev, values);
    if (values[0] != REPRISE_IMAGE_PROGRAM_BYTES / REPRISE_COMMAND_BYTES - 1 || reprise_command(&dev) != values[0])
        failures++;
    if (reprise_cycles(&dev) == 0)
        failures++;
    EXPECT(OK, reprise_interrupt(&dev));
    EXPECT(IDLE, reprise_interrupt(&dev));
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 3;
    constants = read_constants(argv[1], REPRISE_IMAGE_CONSTANT_BYTES);
    memory = (unsigned char *)calloc(1, REPRISE_IMAGE_STRIDE);
    if (memory == NULL)
        return 3;
    shim_memory(memory, BASE, REPRISE_IMAGE_STRIDE);
    shim_reset();
    device();
    addresses();
    levels();
    jobs();
    behind_the_driver();
    works();
    bus();
    counters();
    (void)printf("%d failures, %u strays, %u refused\n", failures, (unsigned)shim_stray(), shim_refused());
    return failures != 0;
}
