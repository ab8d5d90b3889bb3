/* The example under Linux: registers and interrupt by UIO, memory by u-dma-buf (github.com/ikwzm/udmabuf), which takes
 * it from CMA. reprise.dtsi has the nodes of the device tree.
 *
 *   linux_uio /dev/uio0 udmabuf0 memory.bin
 *
 * The buffer is opened with O_SYNC, so it is not cached and needs no flush. To use a cached one, leave O_SYNC out, and
 * write the ranges of the hooks flush and invalidate to sync_for_device and sync_for_cpu.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "image.h"

#define REGISTER_BYTES 4096u

struct host {
    volatile unsigned char *registers;
    int uio;
};

static uint32_t host_read(void *context, uint32_t offset)
{
    const struct host *host = (const struct host *)context;

    return *(const volatile uint32_t *)(const volatile void *)(host->registers + offset);
}

static void host_write(void *context, uint32_t offset, uint32_t value)
{
    const struct host *host = (const struct host *)context;

    *(volatile uint32_t *)(volatile void *)(host->registers + offset) = value;
}

static uint64_t host_clock(void *context)
{
    struct timespec now = { 0, 0 };

    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Sleep until the interrupt. UIO masks it when it comes; a 1 that is written lets the next one through. The driver
 * acknowledges the interrupt when it starts a job. */
static void host_pause(void *context, uint64_t microseconds)
{
    const struct host *host = (const struct host *)context;
    struct pollfd wanted = { host->uio, POLLIN, 0 };
    const uint32_t enable = 1;
    uint32_t count = 0;

    if (write(host->uio, &enable, sizeof enable) == (ssize_t)sizeof enable
        && poll(&wanted, 1, microseconds < 1000000u ? (int)(microseconds / 1000u + 1u) : 1000) == 1)
        (void)!read(host->uio, &count, sizeof count);
}

static void host_barrier(void *context)
{
    (void)context;
    __sync_synchronize();
}

static void print(const char *line)
{
    (void)puts(line);
}

static int fail(const char *what, const char *name)
{
    (void)fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
    return 1;
}

/* Read a number of /sys/class/u-dma-buf; 0 if there is none. */
static uint64_t buffer_property(const char *buffer, const char *property)
{
    char path[256];
    uint64_t value = 0;
    FILE *file;

    if (snprintf(path, sizeof path, "/sys/class/u-dma-buf/%s/%s", buffer, property) >= (int)sizeof path)
        return 0;
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNi64, (int64_t *)&value) != 1)
        value = 0;
    (void)fclose(file);
    return value;
}

static volatile unsigned char *map(const char *path, size_t bytes, int *file)
{
    void *found;

    *file = open(path, O_RDWR | O_SYNC);
    if (*file < 0)
        return NULL;
    found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0);
    return found == MAP_FAILED ? NULL : (volatile unsigned char *)found;
}

int main(int argc, char **argv)
{
    static unsigned char constants[REPRISE_IMAGE_CONSTANT_BYTES];
    struct host host = { NULL, -1 };
    struct reprise dev = { host_read, host_write, NULL, host_clock, host_pause, host_barrier, NULL, NULL, NULL, 0 };
    volatile unsigned char *memory;
    uint64_t base, bytes;
    char path[256];
    FILE *file;
    int buffer;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: %s /dev/uioN BUFFER memory.bin\n", argv[0]);
        return 2;
    }
    file = fopen(argv[3], "rb");
    if (file == NULL)
        return fail("cannot open", argv[3]);
    if (fread(constants, 1, sizeof constants, file) != sizeof constants || fgetc(file) != EOF) {
        (void)fprintf(stderr, "%s must be %u bytes: take the one that came with image.h\n", argv[3],
                      REPRISE_IMAGE_CONSTANT_BYTES);
        return 1;
    }
    (void)fclose(file);
    host.registers = map(argv[1], REGISTER_BYTES, &host.uio);
    if (host.registers == NULL)
        return fail("cannot map", argv[1]);
    base = buffer_property(argv[2], "phys_addr");
    bytes = buffer_property(argv[2], "size");
    if (bytes == 0 || snprintf(path, sizeof path, "/dev/%s", argv[2]) >= (int)sizeof path)
        return fail("cannot find the buffer", argv[2]);
    memory = map(path, (size_t)bytes, &buffer);
    if (memory == NULL)
        return fail("cannot map", path);
    dev.context = &host;
    return app(&dev, constants, memory, base, bytes, print);
}
