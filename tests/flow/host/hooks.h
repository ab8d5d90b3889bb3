/* The hooks of the driver for the simulated device, which has 100 cycles in a microsecond. */
#ifndef HOOKS_H
#define HOOKS_H

#include <stdio.h>
#include <stdlib.h>

#include "reprise_image.h"
#include "shim.h"

/* What the hooks have seen: barriers, bytes that were flushed and invalidated, and pauses that an interrupt ended. */
static unsigned barriers, flushed, invalidated, woken;

static uint32_t sim_read(void *context, uint32_t offset)
{
    (void)context;
    return shim_read(offset);
}

static void sim_write(void *context, uint32_t offset, uint32_t value)
{
    (void)context;
    shim_write(offset, value);
}

static uint64_t sim_clock(void *context)
{
    (void)context;
    return shim_cycles() / 100u;
}

/* Sleep until the interrupt, as UIO does, or for 10 microseconds. */
static void sim_pause(void *context, uint64_t microseconds)
{
    const uint64_t end = shim_cycles() + 100u * (microseconds < 10 ? microseconds + 1 : 10);

    (void)context;
    while (shim_irq() == 0 && shim_cycles() < end)
        shim_step(1);
    woken += shim_irq();
}

static void sim_barrier(void *context)
{
    (void)context;
    barriers++;
}

static void sim_flush(void *context, volatile void *first, size_t bytes)
{
    (void)context;
    (void)first;
    flushed += (unsigned)bytes;
}

static void sim_invalidate(void *context, volatile void *first, size_t bytes)
{
    (void)context;
    (void)first;
    invalidated += (unsigned)bytes;
}

static void sim_reset(void *context)
{
    (void)context;
    shim_hang(0);
    shim_reset();
}

static void print(const char *line)
{
    (void)puts(line);
}

/* Read memory.bin. */
static const unsigned char *read_constants(const char *path, size_t bytes)
{
    unsigned char *found = (unsigned char *)malloc(bytes);
    FILE *file = fopen(path, "rb");

    if (found == NULL || file == NULL || fread(found, 1, bytes, file) != bytes)
        exit(3);
    (void)fclose(file);
    return found;
}

#endif
