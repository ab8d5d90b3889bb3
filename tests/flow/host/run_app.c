/* The example's application on the simulated device: run_app memory.bin BASE SLOTS POLL. */
#include "hooks.h"

#include "app.h"
#include "image.h"

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
    (void)printf("barriers %u flushed %u invalidated %u stray %u refused %u\n", barriers, flushed, invalidated,
                 (unsigned)shim_stray(), shim_refused());
    return failed;
}
