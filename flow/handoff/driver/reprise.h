/* Driver of the Reprise accelerator. Needs nothing but <stdint.h>: bare metal, an RTOS or a kernel module.
 *
 *   struct reprise dev = { reprise_mmio_read, reprise_mmio_write, (void *)0xA0000000 };
 *   if (reprise_probe(&dev, hash) != REPRISE_OK) ...
 *   (copy memory.bin to `base` and the packed input to `input.address`, see memory.json; flush caches)
 *   reprise_start(&dev, program, 0);
 *   int result = reprise_wait(&dev, 100000000);
 *   (invalidate caches, read the output feature map)
 *
 * With interrupts: start with interrupt = 1 and call reprise_interrupt() in the handler.
 */
#ifndef REPRISE_H
#define REPRISE_H

#include <stdint.h>

#include "reprise_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How registers are reached; `context` is handed back to the functions. */
struct reprise {
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void *context;
};

/* Results. Positive: error codes of the accelerator (docs/memory-map.md). Negative: of the driver. */
enum {
    REPRISE_OK = 0,
    REPRISE_ERROR_COMMAND = 1,  /* bad magic, opcode or reserved bits */
    REPRISE_ERROR_FIELD = 2,    /* command field out of range */
    REPRISE_ERROR_READ = 3,     /* AXI read answered with an error */
    REPRISE_ERROR_WRITE = 4,    /* AXI write answered with an error */
    REPRISE_ERROR_WATCHDOG = 5, /* no progress */
    REPRISE_ERROR_STOPPED = 6,  /* by reprise_stop */
    REPRISE_NO_DEVICE = -1,     /* the identification register holds something else */
    REPRISE_OTHER_VERSION = -2, /* major version of registers and commands differs from this driver's */
    REPRISE_OTHER_CONFIG = -3,  /* the program is compiled for another configuration */
    REPRISE_BUSY = -4,          /* a job is in progress */
    REPRISE_TIMEOUT = -5,       /* still busy after so many reads of STATUS */
    REPRISE_IDLE = -6           /* no job has ended since the last start */
};

/* Is it an accelerator, of this version, of this configuration? `hash`: the first 32 bits of the configuration's
 * SHA-256 (MANIFEST.json, configuration_hash); 0 accepts any. */
int reprise_probe(const struct reprise *dev, uint32_t hash);

/* Start the program at byte address `program` (below 2**40, whole bus words). REPRISE_BUSY when one is running. */
int reprise_start(const struct reprise *dev, uint64_t program, int interrupt);

/* How the last job stands: REPRISE_BUSY, REPRISE_IDLE, or its result (0 or an error code). */
int reprise_result(const struct reprise *dev);

/* Read STATUS until the job has ended, at most `reads` times; its result, or REPRISE_TIMEOUT. */
int reprise_wait(const struct reprise *dev, uint32_t reads);

/* In the interrupt handler: acknowledge. The job's result, or REPRISE_IDLE when the interrupt is not of this device. */
int reprise_interrupt(const struct reprise *dev);

/* End a running job with REPRISE_ERROR_STOPPED. The memory port finishes its transactions; wait for the result. */
void reprise_stop(const struct reprise *dev);

/* Index of the command that waited or failed (of END after a good job). */
uint32_t reprise_command(const struct reprise *dev);

/* Cycles without progress after which a job ends with REPRISE_ERROR_WATCHDOG; 0: never. */
void reprise_watchdog(const struct reprise *dev, uint32_t cycles);

/* Cycles of the last job. */
uint64_t reprise_cycles(const struct reprise *dev);

/* REPRISE_COUNTERS performance counters of the last job, in the order of reprise_registers.h. */
void reprise_counters(const struct reprise *dev, uint32_t values[REPRISE_COUNTERS]);

/* Register access of a memory-mapped device: `context` is its base address. */
uint32_t reprise_mmio_read(void *context, uint32_t offset);
void reprise_mmio_write(void *context, uint32_t offset, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif
