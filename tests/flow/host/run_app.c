/* The example's application on the simulated device: run_app memory.bin BASE SLOTS POLL. It ends with the counters. */
#include "hooks.h"

#include "app.h"
#include "image.h"

static void print_counters(const struct reprise *dev)
{
    uint32_t values[REPRISE_COUNTERS], n;

    reprise_counters(dev, values);
    (void)printf("counters %llu", (unsigned long long)reprise_cycles(dev));
    for (n = 0; n < REPRISE_COUNTERS; n++)
        (void)printf(" %u", (unsigned)values[n]);
    (void)puts("");
}

int main(int argc, char **argv)
{
    struct reprise dev = { sim_read, sim_write, NULL, sim_clock, sim_pause, sim_barrier, sim_flush, sim_invalidate,
                           sim_reset, 0 };
    uint64_t base, bytes;
    unsigned char *memory;
    int failed;

    if (argc != 5)
        return 3;
    base = strtoull(argv[2], NULL, 0);
    bytes = strtoull(argv[3], NULL, 0) * REPRISE_IMAGE_STRIDE;
    if (strtoull(argv[4], NULL, 0) != 0)
        dev.pause = NULL;
    memory = (unsigned char *)calloc(1, (size_t)bytes + 1);
    if (memory == NULL)
        return 3;
    shim_memory(memory, base, bytes);
    shim_reset();
    failed = app(&dev, read_constants(argv[1], REPRISE_IMAGE_CONSTANT_BYTES), memory, base, bytes, print);
    print_counters(&dev);
    (void)printf("barriers %u flushed %u invalidated %u woken %u stray %u refused %u\n", barriers, flushed, invalidated,
                 woken, (unsigned)shim_stray(), shim_refused());
    return failed;
}
