/* The C driver of the Reprise accelerator. It needs nothing but <stdint.h>, so that it runs on bare metal, in an RTOS
 * and in a kernel module.
 *
 *   struct reprise dev = { reprise_mmio_read, reprise_mmio_write, (void *)0xA0000000 };
 *   if (reprise_probe(&dev, hash) != REPRISE_OK) ...
 *   (copy memory.bin to `base` and the packed input to `input.address`, see memory.json; flush caches)
 *   struct reprise_windows windows = { read base, read size, write base, write size };
 *   reprise_start(&dev, program, &windows, 0);
 *   int result = reprise_wait(&dev, 100000000);
 *   (invalidate caches, read the output feature map)
 *
 * To use interrupts, start with interrupt = 1 and call reprise_interrupt() in the handler.
 */
#ifndef REPRISE_H
#define REPRISE_H

#include <stdint.h>

#include "reprise_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How registers are reached. Both functions are given `context`. */
struct reprise {
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void *context;
};

/* Results. The positive ones are error codes of the accelerator (docs/memory-map.md), the negative ones are the
 * driver's. */
enum {
    REPRISE_OK = 0,
    REPRISE_ERROR_COMMAND = 1,  /* bad magic, opcode or reserved bits */
    REPRISE_ERROR_FIELD = 2,    /* a field of a command is out of range */
    REPRISE_ERROR_READ = 3,     /* an AXI read was answered with an error */
    REPRISE_ERROR_WRITE = 4,    /* an AXI write was answered with an error */
    REPRISE_ERROR_WATCHDOG = 5, /* there was no progress */
    REPRISE_ERROR_STOPPED = 6,  /* reprise_stop ended the job */
    REPRISE_ERROR_READ_WINDOW = 7,  /* a read would have left the read window */
    REPRISE_ERROR_WRITE_WINDOW = 8, /* a write would have left the write window */
    REPRISE_ERROR_START = 9,    /* the program's address or a window is not whole bus words, or a window ends above 2**40 */
    REPRISE_ERROR_DATA = 10,        /* a loaded segment or a channel's parameters break a rule */
    REPRISE_ERROR_UNLOADED = 11,    /* a RUN needs what no load of its job has brought */
    REPRISE_NO_DEVICE = -1,     /* the identification register holds something else */
    REPRISE_OTHER_VERSION = -2, /* the major version of registers and commands is not that of this driver */
    REPRISE_OTHER_CONFIG = -3,  /* the program is compiled for another configuration */
    REPRISE_BUSY = -4,          /* a job is in progress */
    REPRISE_TIMEOUT = -5,       /* the job is still in progress after so many reads of STATUS */
    REPRISE_IDLE = -6           /* no job has ended since the last start */
};

/* Check that the device is an accelerator of this version and of this configuration. `hash` is the first 32 bits of
 * the configuration's SHA-256 (configuration_hash in MANIFEST.json); 0 accepts any configuration. */
int reprise_probe(const struct reprise *dev, uint32_t hash);

/* Where the accelerator may read and write, as byte addresses and sizes of whole bus words (`windows` in memory.json).
 * An access outside of its window is not issued; it ends the job with an error. */
struct reprise_windows {
    uint64_t read_base, read_size;
    uint64_t write_base, write_size;
};

/* Start the program at the byte address `program`, which is below 2**40 and that of a bus word, with these windows. While
 * a job is in progress, the result is REPRISE_BUSY. */
int reprise_start(const struct reprise *dev, uint64_t program, const struct reprise_windows *windows, int interrupt);

/* Return how the last job stands: REPRISE_BUSY, REPRISE_IDLE, or its result, which is 0 or an error code. */
int reprise_result(const struct reprise *dev);

/* Read STATUS until the job has ended, at most `reads` times, and return its result or REPRISE_TIMEOUT. */
int reprise_wait(const struct reprise *dev, uint32_t reads);

/* Acknowledge the interrupt, in its handler, and return the job's result, or REPRISE_IDLE if the interrupt is not that
 * of this device. */
int reprise_interrupt(const struct reprise *dev);

/* End a running job with REPRISE_ERROR_STOPPED. The memory port still finishes its transactions, so wait for the
 * result. */
void reprise_stop(const struct reprise *dev);

/* Return the index of the command that waited or failed, which is that of END after a good job. */
uint32_t reprise_command(const struct reprise *dev);

/* Set the cycles without progress after which a job ends with REPRISE_ERROR_WATCHDOG; with 0 it never does. */
void reprise_watchdog(const struct reprise *dev, uint32_t cycles);

/* Return the cycles of the last job. */
uint64_t reprise_cycles(const struct reprise *dev);

/* Read the REPRISE_COUNTERS performance counters of the last job, in the order of reprise_registers.h. */
void reprise_counters(const struct reprise *dev, uint32_t values[REPRISE_COUNTERS]);

/* Access the registers of a memory-mapped device, of which `context` is the base address. */
uint32_t reprise_mmio_read(void *context, uint32_t offset);
void reprise_mmio_write(void *context, uint32_t offset, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif
